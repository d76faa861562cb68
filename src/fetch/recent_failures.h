#ifndef SSTOREFS_FETCH_RECENT_FAILURES_H
#define SSTOREFS_FETCH_RECENT_FAILURES_H

#include "sstorefs/provider.h"

/*
 * Questions that failed a moment ago. Any process that may look at the mount can have them asked,
 * again and again, and each is a call from a budget that a whole account shares: for some seconds
 * they are answered as they were before.
 */
#define REFUSALS_MAX 64 /* the oldest makes room for the newest */

struct refusals {
	struct refusal {
		enum operation operation;
		char *store_id, *name; /* NULL: of no store, whatever the name */
		uint64_t until;	       /* CLOCK_BOOTTIME, milliseconds; 0: not used */
		struct failure failure;
	} * refusal; /* REFUSALS_MAX of them; NULL: none was noted yet */
	unsigned next;
};

void refusals_finish(struct refusals *refusals);

/* Remembers how a question ended, unless that was an answer. Without memory nothing is remembered.
 */
void refusals_note(struct refusals *refusals, const struct op_args *args,
		   const struct failure *failure, uint64_t now);

/* How a question ended lately, or NULL; valid until the next note. */
const struct failure *refusals_find(const struct refusals *refusals, const struct op_args *args,
				    uint64_t now);

/* Something has changed in the store `store_id`: what failed there may be asked again. NULL:
 * anywhere. */
void refusals_forget(struct refusals *refusals, const char *store_id);

#endif
