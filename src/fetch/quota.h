/* The quota from the inside. */
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
	uint64_t reported_at; /* when the service told the figures, CLOCK_BOOTTIME milliseconds */
	bool expired; /* `refresh` was asked for: the figures are not to be given any more */
	uint64_t exhausted_until;  /* until then no new secret need be tried: one was refused; 0:
				      none was */
	char exhausted_store[256]; /* the store in which it was refused; "": it could not be kept */
	struct api_call api_call;
	bool is_querying;
	struct wait_list waits; /* woken when an answer came, or none will */
};

void quota_init(struct quota *quota, struct catalog *catalog);
void quota_finish(struct quota *quota);

/* What was known is not believed any more. */
void quota_invalidate(struct quota *quota);

/* Something was asked of the service, and ended so: own creations and deletions move the figures.
 */
void quota_apply(struct quota *quota, const struct op_args *args, const struct failure *failure);

/* True if the service has told its figures. */
bool quota_is_known(const struct quota *quota);

#endif
