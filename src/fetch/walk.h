#pragma once

#include "cache/listing.h"
#include "sstorefs/api_call.h"

#define WALK_WIDTH 8 /* numbered pages that are fetched side by side */

/* A page on its way. */
struct page {
	struct walk *walk;
	struct api_call api_call;
	bool runs;
};

/* The walk of all pages of a listing, and what it has seen so far. */
struct walk {
	struct listing *listing;
	uint32_t number;	    /* from 1, of all walks of the catalog */
	uint64_t began_at, good_at; /* CLOCK_BOOTTIME milliseconds; good: the last page without an
				       error */
	struct page pages[WALK_WIDTH];
	struct buffer cursor, cycle_mark; /* of the next page; one seen before, to find cycles */
	uint64_t done, next_cycle_mark;	  /* pages that came in */
	unsigned empty_pages;		  /* pages in a row that brought nothing new */
	unsigned next_page,
		last_page;  /* numbered: the next to ask for; the last there is (0: not known) */
	int64_t total;	    /* entries on all pages, as the service says; -1: it does not */
	uint64_t entries;   /* of this round */
	uint64_t malformed; /* entries of this round that were not readable */
	uint64_t pages_of_round;
	struct page_tags *tags; /* of this round */
	bool untagged;		/* a local change came: the ETags do not include it */
	bool revalidates;	/* pages are fetched only if they have changed */
	unsigned unchanged;	/* pages that have not */
	bool ended;		/* numbered: an empty page was seen */
	bool total_unreliable;	/* numbered: `total` was wrong in every round */
	bool endless;		/* it was given up because there is no end */
	struct failure failure;
};

/* Begins a walk unless one runs. Returns 0 or -ENOMEM. */
int walk_begin(struct listing *listing);

/* Ends the walk of the listing with EINTR; nothing if none runs. */
void walk_abort(struct listing *listing);

/* Drops the ETags of a listing, which has got a local change of `name`, and supersedes the queries
 * for that. */
void walk_note_change(struct listing *listing, const char *name);

/* Gives the memory into which pages were read back to the system: malloc would keep it, in pieces,
 * until the next walk. */
void trim_heap(struct task *task);
