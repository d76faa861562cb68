#pragma once

#include "deleted_ids.h"
#include "entry_ids.h"
#include "listing.h"
#include "sstorefs/loop.h"

/*
 * The cache of a mount: what its listings share. It is passive: it calls nothing but base, and
 * reading it never starts a request.
 */
struct cache_options {
	uint64_t ttl, negative_ttl; /* milliseconds; CLOCK_NEVER: without end */
	bool minimal;		    /* a listing is fresh for a second */
	bool stores_are_local; /* the service does not list stores: that listing is always fresh */
};

struct cache {
	struct loop *loop;
	struct cache_options options;
	struct entry_ids entry_ids;
	struct listings listings;
	struct deleted_ids deleted_ids;
	wall_time_ns last_date; /* the last Date that the service sent; TIME_UNKNOWN: none yet */
	uint64_t last_date_at;	/* when it came, CLOCK_BOOTTIME milliseconds */

	/* Set by fetch, or NULL: called on a local change of a name, so that queries under way are
	 * older, and when stores may have been deleted. */
	void (*name_changed)(struct listing *listing, const char *name);
	void (*stores_changed)(struct cache *cache);
};

/* Makes an empty cache; `loop` is borrowed. */
void cache_init(struct cache *cache, struct loop *loop, const struct cache_options *options);

/* Frees the cache, after its last listing. */
void cache_free(struct cache *cache);

/* Returns the present record of the entry `entry_id`; NULL if it is deleted or past its expiry. In
 * constant time. */
const struct record *cache_record(const struct cache *cache, uint32_t entry_id);

/* Returns the listing that holds a record; NULL if there is none any more. */
struct listing *cache_listing(const struct cache *cache, const struct record *record);

/* Returns the time by the service's clock as far as it is known, else by that of this machine:
 * expiries are compared with it. */
wall_time_ns cache_time(const struct cache *cache);

/* True if the service's `time` is not before `since` (CLOCK_BOOTTIME, milliseconds), by the
 * service's own clock, or ours where it tells none. */
bool cache_is_since(const struct cache *cache, wall_time_ns time, uint64_t since);

/* True if the record has an expiry that has passed. */
bool record_is_past_expiry(const struct cache *cache, const struct record *record);
