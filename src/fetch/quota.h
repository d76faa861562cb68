#ifndef SSTOREFS_FETCH_QUOTA_H
#define SSTOREFS_FETCH_QUOTA_H

#include "sstorefs/api_call.h"
#include "sstorefs/quota.h"

/*
 * The quota from the inside.
 */
struct quota {
	struct catalog *catalog;
	struct quota_figures figures;
	uint64_t told_at;     /* when the service told the figures, CLOCK_BOOTTIME milliseconds */
	bool expired;	      /* `refresh` was asked for: the figures are not to be given any more */
	uint64_t full_until;  /* until then no new secret need be tried: one was refused; 0: none was */
	char full_store[256]; /* the store in which it was refused; "": it could not be kept */
	struct inquiry inquiry;
	bool asking;
	struct wait_list waits; /* woken when an answer came, or none will */
};

void quota_init(struct quota *quota, struct catalog *catalog);
void quota_finish(struct quota *quota);

/* What was known is not believed any more. */
void quota_forget(struct quota *quota);

/* Something was asked of the service, and ended so: own creations and deletions move the figures. */
void quota_heard(struct quota *quota, const struct ask *ask, const struct failure *failure);

#endif
