#ifndef SSTOREFS_FETCH_CATALOG_H
#define SSTOREFS_FETCH_CATALOG_H

#include "cache/deleted_ids.h"
#include "cache/entry_ids.h"
#include "cache/listing.h"
#include "cache/sealed_cache.h"
#include "client_keys.h"
#include "quota.h"
#include "recent_failures.h"
#include "sstorefs/api_call.h"
#include "sstorefs/catalog.h"
#include "sstorefs/ordered_set.h"

/*
 * The catalog from the inside.
 */
struct store {
	struct catalog *catalog;
	unsigned references;
	uint32_t entry_id; /* of its record in the listing of stores; 0 in a mount of one store */
	char *name, *id;
	struct listing secrets;
	struct store *next, **link; /* the catalog's list */
};

/* All listings by their numbers, which records carry. */
struct listings {
	struct listing **slots; /* [number]; NULL: free */
	uint32_t count, free;	/* none below `free` is; 0 is never given out */
};

struct catalog {
	struct loop *loop;
	struct net *net;
	struct catalog_options options;
	struct entry_ids entry_ids;
	struct listing stores;
	struct store *first_store;
	struct store *only_store;
	struct client_keys keys;
	struct quota quota;
	struct deleted_ids deleted_ids;
	struct refusals refusals;
	struct sealed_cache sealed_cache;
	struct listings listings;
	struct ordered_set name_queues;	       /* those who wait to change a name */
	struct ordered_set stores_by_entry_id; /* stores */
	uint32_t last_walk;
	struct task heap_trim; /* after a walk */
	struct catalog_counts counts;
	wall_time_ns last_date; /* what the service's clock said last; TIME_UNKNOWN: nothing yet */
	uint64_t last_date_at;	/* when that was, CLOCK_BOOTTIME milliseconds */

	struct api_call probe;
	struct buffer probe_cursor;
	struct wait first_page;
	void (*on_probed)(void *context, const struct failure *failure);
	void *probed_context;
};

/* Makes a store, with one reference for the caller. NULL when memory ran out. */
struct store *store_new(struct catalog *catalog, uint32_t entry_id, const char *name, const char *id);

int stores_compare(const void *left, const void *right);
int name_queues_compare(const void *left, const void *right);

/* Drops stores whose record is gone, and all of them. */
void stores_collect(struct catalog *catalog);
void stores_free(struct catalog *catalog);
/* The scopes of a service that can't list them (Stripe). 0 or -ENOMEM. */
int local_stores_init(struct catalog *catalog);

/* Gives the listing a number. 0 or -ENOMEM. */
int listings_add(struct listings *listings, struct listing *listing);
void listings_remove(struct listings *listings, struct listing *listing);

/* Whether the service's `time` lies not before `since` (CLOCK_BOOTTIME, milliseconds), by the service's own clock, or ours where it tells none. */
bool catalog_is_since(const struct catalog *catalog, wall_time_ns time, uint64_t since);
bool record_is_past_expiry(const struct catalog *catalog, const struct record *record);

/* CLOCK_BOOTTIME as records keep it: sixteenths of a second, which last for eight years. */
static inline uint32_t record_time(uint64_t milliseconds)
{
	return (uint32_t)(milliseconds / 1000 * 16 + milliseconds % 1000 * 16 / 1000);
}

#endif
