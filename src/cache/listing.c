/* A listing: what is cached of one directory, and how fresh that is. */
#include "listing.h"

#include "cache.h"

/* Milliseconds for which a listing that does not end is left alone at least: each walk of it costs
 * a hundred calls or more. */
#define ENDLESS_FOR 30000
/* Milliseconds in which a refresh that failed is not tried again. */
#define PAUSE_AFTER_FAILURE 3000
/* A listing is fresh for at least so many times the duration of its walk. */
#define TTL_WALK_FACTOR 10
/* Milliseconds; with `minimal` for the next few calls of one program. */
#define TTL_MINIMAL 1000

static uint64_t now(const struct listing *listing)
{
	return loop_now(listing->cache->loop);
}

/* Freshness */

bool listing_is_local(const struct listing *listing)
{
	return !listing->store && listing->cache->options.stores_are_local;
}

/* Returns a lifetime of at least a second, whatever `ttl` and `negative_ttl` say: any process can
 * ask, as often as it likes. */
static uint64_t at_least(uint64_t life)
{
	return life > TTL_MINIMAL ? life : TTL_MINIMAL;
}

static uint64_t time_to_live(const struct listing *listing)
{
	const struct cache_options *options = &listing->cache->options;
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

/* Returns for how long a record is fresh because the service was asked for it alone. */
static uint64_t record_time_left(const struct listing *listing, const struct record *record)
{
	uint32_t sixteenths;

	if (!record || !record->verified_at)
		return 0;
	sixteenths = record_time(now(listing)) - record->verified_at;
	return left_of((uint64_t)sixteenths * 1000 / 16,
		       record->deleted ? at_least(listing->cache->options.negative_ttl)
				       : time_to_live(listing));
}

/* Returns for how long it is fresh because the whole listing is. */
static uint64_t whole_time_left(const struct listing *listing)
{
	if (!listing->is_complete || listing->force_refresh)
		return 0;
	return left_of(now(listing) - listing->listed_at, time_to_live(listing));
}

uint64_t listing_freshness(const struct listing *listing, const struct record *record)
{
	uint64_t whole, alone;

	if (record && record->invalid)
		return 0;
	whole = whole_time_left(listing);
	alone = whole == CLOCK_NEVER ? 0 : record_time_left(listing, record);
	return whole > alone ? whole : alone;
}

uint64_t listing_time_left(const struct listing *listing, const struct record *record)
{
	uint64_t left = listing_freshness(listing, record), until_expiry;
	wall_time_ns expiry;

	if (!record || !record->expires)
		return left;
	expiry = record_expires_at(record) - cache_time(listing->cache);
	until_expiry = expiry > 0 ? (uint64_t)(expiry / (NANOSECONDS / 1000)) : 0;
	return left < until_expiry ? left : until_expiry;
}

bool listing_is_stale(const struct listing *listing, const struct record *record)
{
	return listing->last_failure_at && !listing_freshness(listing, record);
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

void listing_note_endless(struct listing *listing)
{
	uint64_t life = time_to_live(listing);

	if (life == CLOCK_NEVER)
		listing->endless_until = CLOCK_NEVER;
	else
		listing->endless_until = now(listing) + (life > ENDLESS_FOR ? life : ENDLESS_FOR);
}

bool listing_is_endless(const struct listing *listing)
{
	return now(listing) < listing->endless_until;
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
	listing->last_failure_at = listing->endless_until = 0;
	listing->single_lookups = 0;
	if (listing->current)
		forget_times(listing->current);
	if (!listing->next)
		return;
	forget_times(listing->next);
	listing->next->state = SNAPSHOT_STALE;
}

bool listing_failed_lately(const struct listing *listing)
{
	return listing->last_failure_at &&
	       now(listing) - listing->last_failure_at < PAUSE_AFTER_FAILURE;
}

bool listing_can_afford_walk(const struct listing *listing)
{
	if (listing_is_endless(listing))
		return false;
	return !listing->last_walk_at ||
	       now(listing) - listing->last_walk_at >= listing->last_walk_ms * TTL_WALK_FACTOR;
}

/* Content */

/* The pages of a walk that runs are newer than the current snapshot. */
const struct record *listing_find(const struct listing *listing, const char *name)
{
	const struct record *record = snapshot_find(listing->next, name);

	return record ? record : snapshot_find(listing->current, name);
}

enum cache_result listing_classify(const struct listing *listing, const struct record *found)
{
	if (found ? found->invalid : !listing->is_complete)
		return CACHE_MISS;
	if (found && found->deleted && !listing->is_complete && !listing_freshness(listing, found))
		return CACHE_MISS;
	if (!found || found->deleted || record_is_past_expiry(listing->cache, found))
		return CACHE_NEGATIVE;
	return CACHE_HIT;
}

enum cache_result listing_peek(const struct listing *listing, const char *name,
			       const struct record **record)
{
	const struct record *found = listing_find(listing, name);
	enum cache_result cached = listing_classify(listing, found);

	*record = cached == CACHE_HIT ? found : NULL;
	return cached;
}

const struct record *listing_peek_any(const struct listing *listing, const char *name)
{
	const struct record *record = listing_find(listing, name);

	return record && !record->deleted && !record_is_past_expiry(listing->cache, record) ? record
											    : NULL;
}

bool listing_is_invalid(const struct listing *listing, const char *name)
{
	const struct record *record = listing_find(listing, name);

	return record && record->invalid;
}

struct snapshot *listing_last_complete(struct listing *listing)
{
	return listing->is_complete ? snapshot_reference(listing->current) : NULL;
}

struct store *listing_store(const struct listing *listing)
{
	return listing->store;
}
