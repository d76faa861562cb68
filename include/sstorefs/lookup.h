#pragma once

#include "sstorefs/listing.h"
#include "sstorefs/loop.h"

/*
 * A lookup of one name. Embedded in its owner, zeroed, `name`, `deadline` and `done` filled in;
 * `done` is called once, from the loop or from within lookup_start. `failure.errnum` is 0 if the
 * name exists (see `record`), ENOENT if it does not, or says why that is not known.
 */
struct lookup {
	char name[256];
	uint64_t deadline; /* CLOCK_BOOTTIME, milliseconds */
	bool bypass_cache; /* ask the service, whatever is cached */
	void (*done)(struct lookup *lookup);
	struct failure failure;
	const struct record *record; /* valid in done() */

	struct listing *listing; /* internal from here */
	struct wait wait;
	struct timer timer;
	struct name_query *query;
	uint32_t ignore_walks_until; /* walks up to this number began before the lookup */
	uint32_t walk;		     /* the number of the walk that is waited for */
};

/* Starts the lookup; answers from the cache where that is fresh, unless `bypass_cache` is set. */
void lookup_start(struct listing *listing, struct lookup *lookup);

/* Ends the lookup without `done`. Nothing for one that was not started. */
void lookup_cancel(struct lookup *lookup);
