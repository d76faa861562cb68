#ifndef SSTOREFS_STORE_LISTING_H
#define SSTOREFS_STORE_LISTING_H

#include "snapshot.h"
#include "sstorefs/inquiry.h"

/*
 * A listing from the inside: what is known of one directory, and the walk that finds it out.
 */
#define WALK_WIDTH 8 /* numbered pages that are fetched side by side */

struct page {
	struct walk *walk;
	struct inquiry inquiry;
	bool runs;
};

struct walk {
	struct listing *listing;
	uint32_t number; /* from 1; 0: no walk runs */
	uint64_t began_at;
	struct page pages[WALK_WIDTH];
	struct buffer cursor, landmark; /* where we are; a cursor seen before, to notice a circle */
	uint64_t done, next_landmark;	/* pages that came in */
	unsigned next_page, last_page;	/* numbered: the next to ask for; the last there is (0: not known) */
	int64_t total;
	uint64_t entries;
	unsigned again; /* how often it was walked again because the count was off */
	bool ended;	/* numbered: an empty page was seen */
	struct failure failure;
};

struct listing {
	struct catalog *catalog;
	struct store *store; /* NULL: this is the listing of stores */
	uint32_t number;
	struct snapshot *current;    /* what is known; NULL: nothing yet */
	struct snapshot *filling;    /* what the walk that runs has brought; NULL: none runs */
	bool complete;		     /* `current` came of a whole walk */
	uint64_t listed_at;	     /* when it was complete, CLOCK_BOOTTIME milliseconds */
	uint64_t walk_took;	     /* milliseconds */
	uint64_t failed_at;	     /* the last refresh that failed since; 0: none did */
	struct failure last_failure; /* of the last walk; error 0: it was whole */
	bool expired; /* `refresh` was asked for: past its time, and not to be given while the service can be asked */
	unsigned misses;    /* single calls since the last whole walk */
	struct walk *walk;  /* NULL: none runs */
	struct find *finds; /* single calls on their way */
};

int listing_init(struct listing *listing, struct catalog *catalog, struct store *store);
void listing_finish(struct listing *listing);

/* Begins a walk unless one runs. Returns 0 or -ENOMEM. */
int walk_begin(struct listing *listing);
void walk_abort(struct listing *listing);

/* Nothing that is known now is fresh any more. */
void listing_expire(struct listing *listing);

/* Begins a refresh of the whole listing in the background, unless one runs or failed a moment ago. */
void listing_refresh(struct listing *listing);

/* An entry that a page of the walk brought. 0 or -ENOMEM. */
int listing_take(struct listing *listing, const struct entry *entry);
/* The walk is over: `failure` NULL: it was whole. */
void listing_walked(struct listing *listing, const struct failure *failure);

/* What a single call told of `name`, which left at `asked_at`: an entry, or NULL when there is none. Ignored where our own change is newer. */
int listing_told(struct listing *listing, const char *name, const struct entry *entry, uint64_t asked_at);

/* A single call for `name`, shared by all who ask. `fresh`: not one that is on its way already. NULL when memory ran out. */
struct find *find_start(struct listing *listing, const char *name, bool fresh, uint64_t deadline);
struct wait_list *find_waits(struct find *find);
const struct failure *find_failure(const struct find *find);
void find_abort_all(struct listing *listing);

/* Whether a name can be asked for by one call. */
bool find_is_possible(const struct listing *listing, const char *name);

#endif
