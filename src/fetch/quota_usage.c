/* Adjusts the figures of the quota to own creations and deletions. */
#include "catalog.h"
#include <errno.h>
#include <string.h>

bool quota_is_known(const struct quota *quota)
{
	return quota->figures.limit >= 0;
}

static bool creates(const struct op_args *args)
{
	return args->operation == OPERATION_DUPLICATE_SECRET ||
	       (args->operation == OPERATION_PUT_SECRET && args->mode != PUT_REPLACE);
}

static void note_exhausted(struct quota *quota, const struct op_args *args)
{
	quota->exhausted_until =
		loop_now(quota->catalog->loop) + quota->catalog->options.negative_ttl;
	quota->exhausted_store[0] = '\0';
	if (args->store_id && strlen(args->store_id) < sizeof(quota->exhausted_store))
		strcpy(quota->exhausted_store, args->store_id);
}

/* A put that creates or replaces counts as neither: services with a quota have no such verb. */
static void adjust_usage(struct quota *quota, int64_t by)
{
	if (quota_is_known(quota) && quota->figures.usage + by >= 0)
		quota->figures.usage += by;
}

void quota_apply(struct quota *quota, const struct op_args *args, const struct failure *failure)
{
	if (creates(args) && failure->errnum == EDQUOT) {
		note_exhausted(quota, args);
	} else if (creates(args) && !failure->errnum) {
		adjust_usage(quota, args->mode != PUT_UPSERT);
	} else if (args->operation == OPERATION_DELETE_SECRET && !failure->errnum) {
		adjust_usage(quota, -1);
		quota->exhausted_until = 0;
	}
}
