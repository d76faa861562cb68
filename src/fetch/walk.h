#ifndef SSTOREFS_FETCH_WALK_H
#define SSTOREFS_FETCH_WALK_H

#include "cache/listing.h"
#include "sstorefs/api_call.h"

#define WALK_WIDTH 8 /* numbered pages that are fetched side by side */

/*
 * The page walker: fetches all pages of a listing.
 */

struct page {
	struct walk *walk;
	struct api_call api_call;
	bool runs;
};

struct walk {
	struct listing *listing;
	uint32_t number;	    /* from 1, of all walks of the catalog */
	uint64_t began_at, good_at; /* good: when the last page came that could be used */
	struct page pages[WALK_WIDTH];
	struct buffer cursor,
		cycle_mark;		/* where we are; a cursor seen before, to notice a circle */
	uint64_t done, next_cycle_mark; /* pages that came in */
	unsigned empty_pages;		/* pages in a row that brought nothing new */
	unsigned next_page,
		last_page;     /* numbered: the next to ask for; the last there is (0: not known) */
	int64_t total;	       /* what the service promised; -1: it did not */
	uint64_t entries;      /* that came in this pass */
	uint64_t malformed;    /* those that were none */
	bool ended;	       /* numbered: an empty page was seen */
	bool total_unreliable; /* numbered: the promised count is not to be believed */
	struct failure failure;
};

/* Begins a walk unless one runs. Returns 0 or -ENOMEM. */
int walk_begin(struct listing *listing);

void walk_abort(struct listing *listing);

/* What pages were read into goes back to the system: libc would keep it, in pieces, until the next
 * walk. */
void trim_heap(struct task *task);

#endif
