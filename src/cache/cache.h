#ifndef SSTOREFS_CACHE_CACHE_H
#define SSTOREFS_CACHE_CACHE_H

#include "deleted_ids.h"
#include "entry_ids.h"
#include "listing.h"
#include "sstorefs/loop.h"

/*
 * The cache: what all listings of a mount share. It is passive: it calls nothing but base, and
 * reading it never starts a request.
 */
struct cache_options {
	uint64_t ttl, negative_ttl; /* milliseconds; CLOCK_NEVER: for ever */
	bool minimal; /* answers older than a second are never given while the service can be asked
		       */
	bool stores_are_local; /* the listing of stores is ours and never grows old */
};

struct cache {
	struct loop *loop;
	struct cache_options options;
	struct entry_ids entry_ids;
	struct listings listings;
	struct deleted_ids deleted_ids;
	wall_time_ns last_date; /* the last time that the service's clock showed; TIME_UNKNOWN: none
				   yet */
	uint64_t last_date_at;	/* when that was, CLOCK_BOOTTIME milliseconds */

	/* Set by those who fetch, or NULL: a name was changed here, so that queries on their way
	 * are older; and stores may be gone. */
	void (*name_changed)(struct listing *listing, const char *name);
	void (*stores_changed)(struct cache *cache);
};

void cache_init(struct cache *cache, struct loop *loop, const struct cache_options *options);

/* Once no listing is left. */
void cache_free(struct cache *cache);

/* The record of the entry `entry_id` as it is known now; NULL if it is deleted or past its expiry.
 * Constant time. */
const struct record *cache_record(const struct cache *cache, uint32_t entry_id);

/* The listing that a record is in. */
struct listing *cache_listing(const struct cache *cache, const struct record *record);

/* The time by the service's clock as far as it is known, else by ours: what expiries are compared
 * with. */
wall_time_ns cache_time(const struct cache *cache);

/* True if the service's `time` is not before `since` (CLOCK_BOOTTIME, milliseconds), by the
 * service's own clock, or ours where it tells none. */
bool cache_is_since(const struct cache *cache, wall_time_ns time, uint64_t since);

bool record_is_past_expiry(const struct cache *cache, const struct record *record);

#endif
