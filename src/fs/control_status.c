/* `.sstorefs/status`: the state of a mount as JSON. */
#include <stdio.h>

#include "control.h"
#include "file.h"
#include "fs_internal.h"
#include "value.h"

static void print_seconds_since(struct buffer *text, const struct fs *fs, const char *name,
				uint64_t then)
{
	if (then)
		buffer_printf(text, "  \"%s\": %.1f,\n", name,
			      (double)(loop_now(fs->loop) - then) / 1000);
	else
		buffer_printf(text, "  \"%s\": null,\n", name);
}

static void print_string(struct buffer *text, const char *name, const char *value)
{
	buffer_printf(text, "  \"%s\": ", name);
	if (value)
		buffer_json_string(text, value);
	else
		buffer_puts(text, "null");
	buffer_puts(text, ",\n");
}

static void print_service(struct buffer *text, const struct fs *fs)
{
	const struct net_counts *counts = catalog_net_counts(fs->catalog);
	const struct failure *down = catalog_down(fs->catalog),
			     *refused = catalog_unauthorized(fs->catalog);
	uint64_t now = loop_now(fs->loop), dies_at = catalog_key_expires_at(fs->catalog);
	char time[TIME_TEXT_SIZE];

	buffer_printf(text, "  \"reachable\": %s,\n", counts->reachable ? "true" : "false");
	print_string(text, "last_answer_at",
		     counts->last_response_at ? time_format(counts->last_response_wall, time)
					      : NULL);
	print_seconds_since(text, fs, "seconds_since_answer", counts->last_response_at);
	print_string(text, "down", down ? down->message : NULL);
	print_string(text, "token_refused", refused ? refused->message : NULL);
	if (dies_at > now)
		buffer_printf(text, "  \"client_key_seconds_left\": %llu,\n",
			      (unsigned long long)(dies_at - now) / 1000);
	else
		buffer_puts(text, "  \"client_key_seconds_left\": null,\n");
	if (counts->budget_remaining >= 0)
		buffer_printf(text, "  \"rate_limit_remaining\": %lld,\n",
			      (long long)counts->budget_remaining);
	else
		buffer_puts(text, "  \"rate_limit_remaining\": null,\n");
}

struct listings {
	struct buffer *text;
	bool any;
};

static void print_listing(void *context, const struct listing_status *status)
{
	struct listings *listings = context;

	buffer_puts(listings->text, listings->any ? ",\n    {\"store\": " : "\n    {\"store\": ");
	listings->any = true;
	if (status->name)
		buffer_json_string(listings->text, status->name);
	else
		buffer_puts(listings->text, "null");
	buffer_printf(listings->text, ", \"entries\": %llu, \"age_seconds\": ",
		      (unsigned long long)status->entries);
	if (status->age == CLOCK_NEVER)
		buffer_puts(listings->text, "null");
	else
		buffer_printf(listings->text, "%.1f", (double)status->age / 1000);
	buffer_printf(listings->text,
		      ", \"fresh\": %s, \"stale\": %s, \"walking\": %s, \"left_out\": %llu}",
		      status->fresh ? "true" : "false", status->stale ? "true" : "false",
		      status->walking ? "true" : "false",
		      (unsigned long long)status->names_too_long);
}

void status_print(struct fs *fs, struct buffer *text)
{
	struct listings listings = {.text = text};

	buffer_puts(text, "{\n");
	print_string(text, "version", SSTOREFS_VERSION);
	print_string(text, "source", fs->config->source);
	print_string(text, "service", fs->provider->name);
	print_string(text, "endpoint", fs->config->endpoint);
	print_service(text, fs);
	buffer_printf(text, "  \"uploads_in_flight\": %u,\n", fs->uploads);
	buffer_printf(text, "  \"locked_bytes\": %zu,\n  \"locked_bytes_max\": %zu,\n",
		      fs->options.pool->held, fs->options.pool->cap);
	buffer_printf(text, "  \"writers_can_be_told_apart\": %s,\n",
		      fs->owner_tracking_degraded ? "false" : "true");
	buffer_puts(text, "  \"listings\": [");
	catalog_each_listing(fs->catalog, print_listing, &listings);
	buffer_puts(text, listings.any ? "\n  ]\n}\n" : "]\n}\n");
}
