#ifndef SSTOREFS_LOOKUP_H
#define SSTOREFS_LOOKUP_H

#include "sstorefs/listing.h"
#include "sstorefs/loop.h"

/*
 * Lookups: finding out about one name.
 */

/*
 * Finds out about one name. Embedded in its owner, zeroed, `name` copied in; `done` is called once,
 * from the loop or from within lookup_start. `failure.error` is 0 (then look with listing_query or
 * `record`), ENOENT, or why it could not be found out.
 */
struct lookup {
	char name[256];
	uint64_t deadline;
	bool bypass_cache; /* do not believe memory: read it from the service */
	void (*done)(struct lookup *lookup);
	struct failure failure;
	const struct record *record; /* for the length of done() */

	struct listing *listing; /* the catalog's, from here */
	struct wait wait;
	struct timer timer;
	struct name_query *query;
	uint32_t ignore_walks_until; /* walks up to this one are no answer */
	uint32_t walk;		     /* that is waited for */
};

void lookup_start(struct listing *listing, struct lookup *lookup);

void lookup_cancel(struct lookup *lookup);

#endif
