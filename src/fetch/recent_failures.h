#pragma once

#include "sstorefs/provider.h"

/*
 * Calls that failed a moment ago. Any process that can access the mount can cause them again and
 * again, and each is taken from a rate limit that the whole account shares: for some seconds they
 * fail as they did before, without being sent.
 */
#define RECENT_FAILURES_MAX 64 /* the newest replaces the oldest */

struct recent_failures {
	struct recent_failure {
		enum operation operation;
		char store_id[256], name[256]; /* "": of no store; for all names */
		uint64_t until;		       /* CLOCK_BOOTTIME, milliseconds; 0: free */
		struct failure failure;
	} * slots; /* RECENT_FAILURES_MAX of them; NULL: none was noted yet */
	unsigned next;
};

/* Keeps the failure of a call, unless that is an answer. Keeps nothing when memory runs out,
 * or where an id is too long. */
void recent_failures_note(struct recent_failures *failures, const struct op_args *args,
			  const struct failure *failure, uint64_t now);

/* Returns the kept failure of such a call, valid until the next note; NULL: none. */
const struct failure *recent_failures_find(const struct recent_failures *failures,
					   const struct op_args *args, uint64_t now);

/* Drops the failures of the store `store_id`, which has changed; NULL: all. */
void recent_failures_forget(struct recent_failures *failures, const char *store_id);
