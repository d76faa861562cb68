#pragma once

#include <sys/queue.h>

#include "snapshot.h"
#include "sstorefs/listing.h"
#include "sstorefs/loop.h"

/* Counts of the present round of a walk. */
struct walk_pass {
	unsigned number;      /* how often the walk began again because the count was off */
	uint64_t repeated;    /* entries that had come before in this round */
	unsigned new_entries; /* entries that had not, since the last page */
};

/*
 * A listing from the inside.
 *
 *   state      fields                      begins                        ends
 *   unknown    !current, !is_complete      listing_init                  partial, complete
 *   partial    current, !is_complete       a single name, or the pages   complete
 *                                          of a walk that failed
 *   complete   current, is_complete        a whole walk                  listing_finish
 *
 * In each of them a walk may run: then `walk` and `next` are set, and `next` is filling; `current`
 * never is. `force_refresh` ends with the next walk, and a local listing (stores that the service
 * does not list) is complete from the start and never refreshed. listing_check (invariants.c)
 * asserts this at the end of each walk.
 */
struct listing {
	struct cache *cache;
	struct catalog *catalog; /* of fetch */
	struct store *store;	 /* NULL: this is the listing of stores */
	uint32_t number;
	struct snapshot *current;
	struct snapshot *next;	/* what the walk that runs has brought */
	bool is_complete;	/* `current` is of a whole walk */
	uint64_t listed_at;	/* when it was complete, CLOCK_BOOTTIME milliseconds */
	uint64_t whole_walk_ms; /* duration of the last whole walk, milliseconds */
	uint64_t last_walk_at;	/* when the last walk ended, CLOCK_BOOTTIME milliseconds; 0: none */
	uint64_t last_walk_ms;	/* for how long that kept the service busy, milliseconds */
	uint64_t last_failure_at;    /* the last failed attempt of a refresh since the last good
					answer,    CLOCK_BOOTTIME milliseconds; 0: none */
	struct failure last_failure; /* of the last walk; errnum 0: it was whole */
	uint64_t endless_until;	     /* the last walk found no end, and until then, CLOCK_BOOTTIME
					milliseconds, none is begun; 0: it was not so */
	bool force_refresh; /* everything counts as stale, and is not shown while the service can be
			       asked */
	uint64_t pages;	    /* of the last whole walk */
	unsigned single_lookups; /* single calls since the last whole walk */
	struct walk_pass pass;	 /* of the walk that runs, or ran last */
	struct walk *walk;	 /* of fetch; NULL: none runs */
	struct page_tags *tags;	 /* of fetch: of the last whole walk, if no local change came since;
				    NULL: not known */
	bool has_local_changes;	 /* records may have local_change set */
	LIST_HEAD(, name_query) name_queries; /* of fetch: single calls under way */
	struct timer refresh_timer;	      /* of fetch: `refresh_name` is refreshed then */
	char *refresh_name;		      /* owned; NULL: the timer does not run */
	struct task compaction;		      /* leaves useless records out of `current` */
};

/* Returns 0 or -ENOMEM. */
int listing_init(struct listing *listing, struct cache *cache, struct catalog *catalog,
		 struct store *store);
void listing_finish(struct listing *listing);

/* Content and freshness (listing.c) */

/* True for the stores of a service that does not list them: they never grow old. */
bool listing_is_local(const struct listing *listing);

/* True if a walk now leaves the service enough time between walks. */
bool listing_can_afford_walk(const struct listing *listing);

/* Answers from the cache, however old. Sets `*record`, to NULL unless it is a hit. */
enum cache_result listing_peek(const struct listing *listing, const char *name,
			       const struct record **record);

/* Makes everything that is cached stale (`refresh`). */
void listing_expire(struct listing *listing);

/* Notes that the listing does not end, for as long as one that did would be fresh. */
void listing_note_endless(struct listing *listing);

/* True if the listing did not end a while ago: `last_failure` says so. */
bool listing_is_endless(const struct listing *listing);

/* Note that an attempt to ask the service failed, or that it answered. */
void listing_note_failure(struct listing *listing);
void listing_note_success(struct listing *listing);

/* Returns the milliseconds for which `record` (NULL: absence) is fresh. */
uint64_t listing_freshness(const struct listing *listing, const struct record *record);

/* Returns the newest record of a name, tombstones included; NULL: none. */
const struct record *listing_find(const struct listing *listing, const char *name);

/* Returns what `found`, of listing_find, says of its name. */
enum cache_result listing_classify(const struct listing *listing, const struct record *found);

/* True if a refresh failed a moment ago. */
bool listing_failed_lately(const struct listing *listing);

/* Merging of responses and local changes (merge.c) */

/* Notes that a walk begins: its pages are younger than all local changes so far. */
void listing_walk_started(struct listing *listing);

/* Merges an entry of a page. Returns 0 or -ENOMEM. */
int listing_apply_page_entry(struct listing *listing, const struct entry *entry);

/* Fills in the snapshot of the walk that runs with what is cached: the service has told that
 * nothing has changed. Returns 0 or -ENOMEM. */
int listing_apply_unchanged(struct listing *listing);

/* Ends a walk that was taken off the listing. `failure` NULL: it was whole. */
void listing_walk_done(struct listing *listing, uint64_t pages, const struct failure *failure);

/* Merges the response to a query for `name`: an entry, or NULL if there is none. Returns 0,
 * -ENOMEM, or -EINVAL for a name that cannot be a record's. */
int listing_apply_answer(struct listing *listing, const char *name, const struct entry *entry);

/* Takes the entry ids of a snapshot's records out of the table, where they lead to these records.
 * `snapshot` NULL: nothing. */
void listing_unbind_records(struct listing *listing, const struct snapshot *snapshot);

/* The task `compaction`. */
void listing_compact(struct task *task);

/* All listings of a mount by their numbers, which records carry. */
struct listings {
	struct listing **slots; /* [number]; NULL: free */
	uint32_t count, free;	/* no number below `free` is free; 0 is never given out */
};

/* Returns CLOCK_BOOTTIME as records keep it: sixteenths of a second, which last for eight years. */
static inline uint32_t record_time(uint64_t milliseconds)
{
	return (uint32_t)(milliseconds / 1000 * 16 + milliseconds % 1000 * 16 / 1000);
}
