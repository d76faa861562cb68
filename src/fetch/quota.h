#pragma once

#include "sstorefs/api_call.h"
#include "sstorefs/quota.h"

/*
 * The quota from the inside.
 */
struct quota {
	struct catalog *catalog;
	struct quota_figures figures;
	uint64_t reported_at;	   /* when the service sent them, CLOCK_BOOTTIME milliseconds */
	bool expired;		   /* `refresh`: the figures are not used any more */
	uint64_t exhausted_until;  /* until then no new secret is tried, because one was rejected,
				      CLOCK_BOOTTIME milliseconds; 0: none was */
	char exhausted_store[256]; /* id of the store in which it was rejected; "": too long */
	struct api_call api_call;
	bool is_querying;
	struct wait_list waits; /* woken when a call has ended */
};

/* Begin without figures, and end a call that runs. */
void quota_init(struct quota *quota, struct catalog *catalog);
void quota_finish(struct quota *quota);

/* Forgets that the figures are fresh, and that the quota was exhausted. */
void quota_invalidate(struct quota *quota);

/* Adjusts the figures to a call that has ended: own creations and deletions, and rejections. */
void quota_apply(struct quota *quota, const struct op_args *args, const struct failure *failure);

/* True if the service has sent its figures. */
bool quota_is_known(const struct quota *quota);
