/* Keeps the failures of calls for some seconds, so that the same call is not sent again at once. */
#include "recent_failures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_FOR 5000 /* milliseconds */

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* True if the failure is kept elsewhere: in the listing, that a name does not exist; in the
 * network, that the service is down (net_down). */
static bool is_kept_elsewhere(const struct op_args *args, const struct failure *failure)
{
	bool finds =
		args->operation == OPERATION_FIND_SECRET || args->operation == OPERATION_FIND_STORE;

	return !failure->errnum || failure_means_down(failure) ||
	       (finds && failure->errnum == ENOENT && !failure->store_is_deleted);
}

/* True if the service rejected the token or the store, and not the one name. */
static bool is_for_all_names(const struct failure *failure)
{
	return failure->http_status == 401 || failure->http_status == 403 ||
	       failure->store_is_deleted;
}

void recent_failures_note(struct recent_failures *failures, const struct op_args *args,
			  const struct failure *failure, uint64_t now)
{
	const char *store_id = or_empty(args->store_id);
	const char *name = is_for_all_names(failure) ? "" : or_empty(args->name);
	struct recent_failure *recent;

	if (is_kept_elsewhere(args, failure) || strlen(store_id) >= sizeof recent->store_id ||
	    strlen(name) >= sizeof recent->name)
		return;
	if (!failures->slots)
		failures->slots = calloc(RECENT_FAILURES_MAX, sizeof *failures->slots);
	if (!failures->slots)
		return;
	recent = &failures->slots[failures->next++ % RECENT_FAILURES_MAX];
	recent->operation = args->operation;
	strcpy(recent->store_id, store_id);
	strcpy(recent->name, name);
	recent->until = now + KEPT_FOR;
	recent->failure = *failure;
}

const struct failure *recent_failures_find(const struct recent_failures *failures,
					   const struct op_args *args, uint64_t now)
{
	for (size_t i = 0; failures->slots && i < RECENT_FAILURES_MAX; i++) {
		const struct recent_failure *recent = &failures->slots[i];

		if (now < recent->until && recent->operation == args->operation &&
		    !strcmp(recent->store_id, or_empty(args->store_id)) &&
		    (!*recent->name || !strcmp(recent->name, or_empty(args->name))))
			return &recent->failure;
	}
	return NULL;
}

void recent_failures_forget(struct recent_failures *failures, const char *store_id)
{
	for (size_t i = 0; failures->slots && i < RECENT_FAILURES_MAX; i++)
		if (!store_id || !strcmp(failures->slots[i].store_id, store_id))
			failures->slots[i].until = 0;
}
