/* A listing from the inside: what is known of one directory. */
#ifndef SSTOREFS_CACHE_LISTING_H
#define SSTOREFS_CACHE_LISTING_H

#include <sys/queue.h>

#include "snapshot.h"
#include "sstorefs/listing.h"
#include "sstorefs/loop.h"

/*
 * A listing from the inside: what is known of one directory, and the walk that finds it out.
 */

/* What a walk has brought since it began, or began again. */
struct walk_pass {
	unsigned number;      /* how often it began again because the count was off */
	uint64_t repeated;    /* entries that had come before in this pass */
	unsigned new_entries; /* entries that had not, since the last page */
};

struct listing {
	struct cache *cache;
	struct catalog *catalog; /* kept for those who fetch */
	struct store *store;	 /* NULL: this is the listing of stores */
	uint32_t number;
	struct snapshot *current;    /* what is known; NULL: nothing yet */
	struct snapshot *next;	     /* what the walk that runs has brought; NULL: none runs */
	bool is_complete;	     /* `current` came of a whole walk */
	uint64_t listed_at;	     /* when it was complete, CLOCK_BOOTTIME milliseconds */
	uint64_t whole_walk_ms;	     /* the last whole one, milliseconds */
	uint64_t last_walk_at;	     /* when the last walk ended, well or not; 0: there was none */
	uint64_t last_walk_ms;	     /* for how long that one kept the service busy, milliseconds */
	uint64_t last_failure_at;    /* the last failed attempt of a refresh since the last good
					answer; 0: there was none */
	struct failure last_failure; /* of the last walk; error 0: it was whole */
	bool force_refresh;	 /* `refresh` was asked for: past its time, and not given while the
				    service can be asked */
	uint64_t pages;		 /* of the last whole walk */
	unsigned single_lookups; /* single calls since the last whole walk */
	struct walk_pass pass;	 /* of the walk that runs, or ran last */
	struct walk *walk;	 /* NULL: none runs */
	bool has_local_changes;	 /* records that were changed by us while a walk ran */
	LIST_HEAD(, name_query) name_queries; /* of fetch: single calls under way */
	struct task compaction; /* leaves out of `current` what is of no use any more */
};

int listing_init(struct listing *listing, struct cache *cache, struct catalog *catalog,
		 struct store *store);
void listing_finish(struct listing *listing);

/* --- what is known and how fresh it is (listing.c)
 * ------------------------------------------------------------------------- */

/* Whether it is of stores that only we know of: it never grows old. */
bool listing_is_local(const struct listing *listing);

/* Whether another walk now would leave the service enough time between walks. */
bool listing_can_afford_walk(const struct listing *listing);

/* What memory says of a name, however old. NULL is put into `*record` unless it is present. */
enum cache_result listing_peek(const struct listing *listing, const char *name,
			       const struct record **record);

/* Nothing that is known now is fresh any more. */
void listing_expire(struct listing *listing);

/* An attempt to ask the service failed, or it answered. */
void listing_note_failure(struct listing *listing);
void listing_note_success(struct listing *listing);

/* --- how news comes together (merge.c)
 * --------------------------------------------------------------------------------------- */

/* A walk begins: it is younger than all our own changes so far. */
void listing_walk_started(struct listing *listing);
/* An entry that a page of the walk brought. 0 or -ENOMEM. */
int listing_apply_page_entry(struct listing *listing, const struct entry *entry);
/* The walk is over, and was taken off the listing: `failure` NULL: it was whole. */
void listing_walk_done(struct listing *listing, uint64_t pages, const struct failure *failure);

/* What a single call told of `name`: an entry, or NULL when there is none. 0 or -ENOMEM. */
int listing_apply_answer(struct listing *listing, const char *name, const struct entry *entry);

/* Takes the serial numbers of a snapshot's records off the table, where they still stand for these
 * records. */
void listing_unbind_records(struct listing *listing, const struct snapshot *snapshot);

/* Rids `current` of what is of no use any more. */
void listing_compact(struct task *task);

/* All listings by their numbers, which records carry. */
struct listings {
	struct listing **slots; /* [number]; NULL: free */
	uint32_t count, free;	/* none below `free` is; 0 is never given out */
};

/* Gives the listing a number. 0 or -ENOMEM. */
int listings_add(struct listings *listings, struct listing *listing);
void listings_remove(struct listings *listings, struct listing *listing);

/* CLOCK_BOOTTIME as records keep it: sixteenths of a second, which last for eight years. */
static inline uint32_t record_time(uint64_t milliseconds)
{
	return (uint32_t)(milliseconds / 1000 * 16 + milliseconds % 1000 * 16 / 1000);
}

/* Milliseconds for which `record` (NULL: absence) may still be believed. */
uint64_t listing_freshness(const struct listing *listing, const struct record *record);

/* The newest record of a name, tombstones included; NULL: none. */
const struct record *listing_find(const struct listing *listing, const char *name);

/* What `found`, of listing_find, says of its name. */
enum cache_result listing_classify(const struct listing *listing, const struct record *found);

/* True if a refresh failed a moment ago. */
bool listing_failed_lately(const struct listing *listing);

#endif
