/* `.sstorefs/status`: the state of a mount as JSON. */
#include <jansson.h>

#include "control.h"
#include "fs_internal.h"

struct member {
	const char *key;
	json_t *value; /* owned; NULL: memory ran out */
};

/* Makes an object of the members, in their order. Returns NULL when memory ran out. */
static json_t *object(const struct member *members, size_t count)
{
	json_t *made = json_object();
	bool failed = false;

	for (size_t i = 0; i < count; i++)
		failed |= json_object_set_new(made, members[i].key, members[i].value) != 0;
	if (!failed)
		return made;
	json_decref(made);
	return NULL;
}

/* A string, or null for NULL. Bytes that are not UTF-8 are escaped. */
static json_t *text_or_null(const char *text)
{
	struct buffer escaped = {0};
	json_t *json = text ? json_string(text) : json_null();

	if (json)
		return json;
	buffer_printable(&escaped, text, "");
	json = json_string(buffer_cstr(&escaped));
	buffer_finish(&escaped);
	return json;
}

/* Milliseconds as seconds with one decimal, or null. */
static json_t *seconds_or_null(bool is_known, uint64_t milliseconds)
{
	return is_known ? json_real((double)((milliseconds + 50) / 100) / 10) : json_null();
}

static json_t *integer_or_null(bool is_known, uint64_t number)
{
	return is_known ? json_integer((json_int_t)number) : json_null();
}

static void add_listing(void *listings, const struct listing_status *listing)
{
	const struct member members[] = {
		{"store", text_or_null(listing->name)},
		{"entries", json_integer((json_int_t)listing->entries)},
		{"age_seconds", seconds_or_null(listing->age != CLOCK_NEVER, listing->age)},
		{"fresh", json_boolean(listing->fresh)},
		{"stale", json_boolean(listing->stale)},
		{"walking", json_boolean(listing->walking)},
		{"left_out", json_integer((json_int_t)listing->names_too_long)},
	};

	json_array_append_new(listings, object(members, sizeof members / sizeof *members));
}

static json_t *listings_of(const struct fs *fs)
{
	json_t *listings = json_array();

	catalog_each_listing(fs->catalog, add_listing, listings);
	return listings;
}

/* Wall time of a moment to come, to the second behind it. */
static wall_time_ns wall_time_at(uint64_t moment, uint64_t now)
{
	return clock_wall() + (wall_time_ns)((moment - now) / 1000 + 1) * NANOSECONDS;
}

static json_t *status_of(const struct fs *fs)
{
	const struct net_counts *net = catalog_net_counts(fs->catalog);
	const struct failure *down = catalog_down(fs->catalog);
	const struct failure *refused = catalog_unauthorized(fs->catalog);
	const struct locked_pool *pool = fs->options.pool;
	uint64_t now = loop_now(fs->loop), key_ends = catalog_key_expires_at(fs->catalog);
	uint64_t refused_until = catalog_changes_refused_until(fs->catalog);
	bool has_answer = net->last_response_at != 0;
	char answered_at[TIME_TEXT_SIZE], refused_until_text[TIME_TEXT_SIZE];
	const struct member members[] = {
		{"version", json_string(SSTOREFS_VERSION)},
		{"source", text_or_null(fs->config->source)},
		{"service", json_string(fs->provider->name)},
		{"endpoint", text_or_null(fs->config->endpoint)},
		{"proxy", text_or_null(fs->config->proxy.shown)},
		{"reachable", json_boolean(net->reachable)},
		{"last_answer_at",
		 text_or_null(has_answer ? time_format(net->last_response_wall, answered_at)
					 : NULL)},
		{"seconds_since_answer", seconds_or_null(has_answer, now - net->last_response_at)},
		{"down", text_or_null(down ? down->message : NULL)},
		{"token_refused", text_or_null(refused ? refused->message : NULL)},
		{"token_mode", text_or_null(fs->options.token->mode)},
		{"client_key_seconds_left",
		 integer_or_null(key_ends > now, (key_ends - now) / 1000)},
		{"rate_limit_remaining",
		 integer_or_null(net->budget_remaining >= 0, (uint64_t)net->budget_remaining)},
		{"changes_refused_until",
		 text_or_null(refused_until ? time_format(wall_time_at(refused_until, now),
							  refused_until_text)
					    : NULL)},
		{"uploads_in_flight", json_integer(fs->uploads)},
		{"locked_bytes", json_integer((json_int_t)pool->held)},
		{"locked_bytes_max", json_integer((json_int_t)pool->cap)},
		{"writers_can_be_told_apart", json_boolean(!fs->owner_tracking_degraded)},
		{"root_can_write_below", json_boolean(fs->config->place.open_to_root)},
		{"listings", listings_of(fs)},
	};

	return object(members, sizeof members / sizeof *members);
}

void status_print(struct fs *fs, struct buffer *text)
{
	json_t *status = status_of(fs);
	/* 15 digits show a time as it was rounded; jansson keeps integers of 64 bits exact. */
	char *json = status ? json_dumps(status, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;

	if (json) {
		buffer_puts(text, json);
		buffer_puts(text, "\n");
	} else {
		text->failed = true;
	}
	free(json);
	json_decref(status);
}
