/* A listing: what is known of one directory, and how fresh it is. */
#include "listing.h"

#include <errno.h>

#include "fetch/catalog.h"

#define PAUSE_AFTER_FAILURE 3000 /* milliseconds in which a refresh that failed is not tried again */
#define TTL_WALK_FACTOR	    10	 /* a listing lives at least so many times as long as it took to fetch */
#define TTL_MINIMAL	    1000 /* with `minimal`: what one program's next few calls may still use */

int listing_init(struct listing *listing, struct catalog *catalog, struct store *store)
{
	*listing =
		(struct listing){.catalog = catalog, .store = store, .compaction = {.run = listing_compact}};
	return listings_add(&catalog->listings, listing);
}

void listing_finish(struct listing *listing)
{
	walk_abort(listing);
	name_query_abort_all(listing);
	task_cancel(&listing->compaction);
	if (listing->current)
		listing_unbind_records(listing, listing->current);
	snapshot_release(listing->current);
	listing->current = NULL;
	listings_remove(&listing->catalog->listings, listing);
}

static uint64_t now(const struct listing *listing)
{
	return loop_now(listing->catalog->loop);
}

/* --- how fresh it is ------------------------------------------------------------------------------------------------------- */

bool listing_is_local(const struct listing *listing)
{
	return !listing->store && listing->catalog->options.provider->stores_are_local;
}

/* Any process may ask, and as often as it likes: what was told is believed for a moment, whatever `ttl` and `negative_ttl` say. */
static uint64_t at_least(uint64_t life)
{
	return life > TTL_MINIMAL ? life : TTL_MINIMAL;
}

static uint64_t time_to_live(const struct listing *listing)
{
	const struct catalog_options *options = &listing->catalog->options;
	uint64_t floor = listing->whole_walk_ms * TTL_WALK_FACTOR;

	if (options->ttl == CLOCK_NEVER || listing_is_local(listing))
		return CLOCK_NEVER;
	if (options->minimal)
		return TTL_MINIMAL;
	return at_least(options->ttl > floor ? options->ttl : floor);
}

static uint64_t left_of(uint64_t age, uint64_t life)
{
	if (life == CLOCK_NEVER)
		return CLOCK_NEVER;
	return age < life ? life - age : 0;
}

static uint64_t record_age(const struct listing *listing, const struct record *record)
{
	return (uint64_t)(uint32_t)(record_time(now(listing)) - record->verified_at) * 1000 / 16;
}

/* For how long a record may be believed because somebody asked for it alone. */
static uint64_t record_time_left(const struct listing *listing, const struct record *record)
{
	if (!record || !record->verified_at)
		return 0;
	return left_of(record_age(listing, record), record->deleted
							    ? at_least(listing->catalog->options.negative_ttl)
							    : time_to_live(listing));
}

/* And because the whole listing is. */
static uint64_t whole_time_left(const struct listing *listing)
{
	if (!listing->is_complete || listing->force_refresh)
		return 0;
	return left_of(now(listing) - listing->listed_at, time_to_live(listing));
}

static uint64_t freshness(const struct listing *listing, const struct record *record)
{
	uint64_t whole, alone;

	if (record && record->invalid)
		return 0;
	whole = whole_time_left(listing);
	alone = whole == CLOCK_NEVER ? 0 : record_time_left(listing, record);
	return whole > alone ? whole : alone;
}

bool record_is_past_expiry(const struct catalog *catalog, const struct record *record)
{
	return record->expires && record_expires_at(record) <= catalog_time(catalog);
}

uint64_t listing_time_left(const struct listing *listing, const struct record *record)
{
	uint64_t left = freshness(listing, record), until_expiry;
	wall_time_ns expiry;

	if (!record || !record->expires)
		return left;
	expiry = record_expires_at(record) - catalog_time(listing->catalog);
	until_expiry = expiry > 0 ? (uint64_t)(expiry / (NANOSECONDS / 1000)) : 0;
	return left < until_expiry ? left : until_expiry;
}

bool listing_is_stale(const struct listing *listing, const struct record *record)
{
	return listing->last_failure_at && !freshness(listing, record);
}

bool listing_last_refresh_failed(const struct listing *listing)
{
	return listing->last_failure_at != 0;
}

void listing_note_failure(struct listing *listing)
{
	listing->last_failure_at = now(listing) ? now(listing) : 1;
}

void listing_note_success(struct listing *listing)
{
	listing->last_failure_at = 0;
}

static void forget_times(const struct snapshot *snapshot)
{
	struct record *record;
	uint64_t position = 0;

	while ((record = snapshot_step(snapshot, &position)))
		record->verified_at = 0;
}

void listing_expire(struct listing *listing)
{
	if (listing_is_local(listing))
		return;
	listing->force_refresh = true;
	listing->last_failure_at = 0;
	listing->single_lookups = 0;
	if (listing->current)
		forget_times(listing->current);
	if (!listing->next)
		return;
	forget_times(listing->next);
	listing->next->is_stale = true;
}

/* --- refreshing ------------------------------------------------------------------------------------------------------------ */

static bool failed_lately(const struct listing *listing)
{
	return listing->last_failure_at && now(listing) - listing->last_failure_at < PAUSE_AFTER_FAILURE;
}

bool listing_can_afford_walk(const struct listing *listing)
{
	return !listing->last_walk_at ||
	       now(listing) - listing->last_walk_at >= listing->last_walk_ms * TTL_WALK_FACTOR;
}

void listing_refresh(struct listing *listing)
{
	if (listing->walk || failed_lately(listing))
		return;
	if (!listing->force_refresh && !listing_can_afford_walk(listing))
		return;
	if (walk_begin(listing))
		listing_note_failure(listing);
}

/*
 * In the background, after something was given though it was past its time: the one name while that is the smaller
 * question, the whole listing after a few such.
 */
static void refresh_in_background(struct listing *listing, const struct record *record)
{
	uint64_t deadline = now(listing) + listing->catalog->options.timeout;

	if (failed_lately(listing))
		return;
	if (!record || !name_query_is_cheaper(listing, record))
		listing_refresh(listing);
	else if (!listing->walk)
		name_query_start(listing, record->name, false, deadline);
}

/* Old answers are given while news is on its way; not where the user wants none, unless the service can't be asked. */
static bool may_be_old(const struct listing *listing)
{
	if (!listing->catalog->options.minimal && !listing->force_refresh)
		return true;
	return failed_lately(listing) || net_down(listing->catalog->net);
}

/* --- what is known --------------------------------------------------------------------------------------------------------- */

/* What a walk has brought so far is newer than what stood before. */
static const struct record *find_record(const struct listing *listing, const char *name)
{
	const struct record *record = listing->next ? snapshot_find(listing->next, name) : NULL;

	if (!record && listing->current)
		record = snapshot_find(listing->current, name);
	return record;
}

static enum cache_result cache_lookup(const struct listing *listing, const struct record *found)
{
	if (found ? found->invalid : !listing->is_complete)
		return CACHE_MISS;
	if (found && found->deleted && !listing->is_complete && !freshness(listing, found))
		return CACHE_MISS;
	if (!found || found->deleted || record_is_past_expiry(listing->catalog, found))
		return CACHE_NEGATIVE;
	return CACHE_HIT;
}

enum cache_result listing_peek(const struct listing *listing, const char *name, const struct record **record)
{
	const struct record *found = find_record(listing, name);
	enum cache_result cached = cache_lookup(listing, found);

	*record = cached == CACHE_HIT ? found : NULL;
	return cached;
}

const struct record *listing_peek_any(const struct listing *listing, const char *name)
{
	const struct record *record = find_record(listing, name);

	return record && !record->deleted && !record_is_past_expiry(listing->catalog, record) ? record : NULL;
}

bool listing_is_invalid(const struct listing *listing, const char *name)
{
	const struct record *record = find_record(listing, name);

	return record && record->invalid;
}

enum cache_result listing_query(struct listing *listing, const char *name, const struct record **record)
{
	const struct record *found = find_record(listing, name);
	enum cache_result cached = cache_lookup(listing, found);

	*record = NULL;
	if (cached == CACHE_MISS)
		return CACHE_MISS;
	if (!freshness(listing, found)) {
		if (!may_be_old(listing))
			return CACHE_MISS;
		refresh_in_background(listing, found);
	}
	if (cached == CACHE_HIT)
		*record = found;
	listing->catalog->counts.hits++;
	return cached;
}

void listing_revalidate(struct listing *listing, const struct record *record)
{
	listing->catalog->counts.hits++;
	if (!freshness(listing, record))
		refresh_in_background(listing, record);
}

struct snapshot *listing_open_view(struct listing *listing, struct failure *failure)
{
	const struct failure *down = net_down(listing->catalog->net);

	if (listing->is_complete && (freshness(listing, NULL) || may_be_old(listing))) {
		if (!freshness(listing, NULL))
			listing_refresh(listing);
		return snapshot_reference(listing->current);
	}
	if (!listing->is_complete && !listing->walk && !listing->force_refresh && down) {
		*failure = *down;
		return NULL;
	}
	if (walk_begin(listing)) {
		failure_set(failure, ENOMEM, "out of memory");
		return NULL;
	}
	return snapshot_reference(listing->next);
}

struct snapshot *listing_last_complete(struct listing *listing)
{
	return listing->is_complete ? snapshot_reference(listing->current) : NULL;
}

struct store *listing_store(const struct listing *listing)
{
	return listing->store;
}
