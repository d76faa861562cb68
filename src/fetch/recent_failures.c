/* Keeps the failures of calls for some seconds, so that the same call is not sent again at once. */
#include "recent_failures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_FOR 5000 /* milliseconds */

static bool is_same(const char *left, const char *right)
{
	return left && right ? !strcmp(left, right) : left == right;
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

/* True if the failure is kept elsewhere: in the listing, that a name does not exist; in the
 * network, that the service is down (net_down). */
static bool is_kept_elsewhere(const struct op_args *args, const struct failure *failure)
{
	static const int down[] = {EIO, ETIMEDOUT, EHOSTUNREACH, EAGAIN};
	bool finds =
		args->operation == OPERATION_FIND_SECRET || args->operation == OPERATION_FIND_STORE;

	for (size_t i = 0; i < sizeof down / sizeof *down; i++)
		if (failure->errnum == down[i])
			return true;
	return !failure->errnum ||
	       (finds && failure->errnum == ENOENT && !failure->store_is_deleted);
}

/* True if the service rejected the token or the store, and not the one name. */
static bool is_for_all_names(const struct failure *failure)
{
	return failure->http_status == 401 || failure->http_status == 403 ||
	       failure->store_is_deleted;
}

static void clear(struct recent_failure *recent)
{
	free(recent->store_id);
	free(recent->name);
	*recent = (struct recent_failure){0};
}

void recent_failures_finish(struct recent_failures *failures)
{
	recent_failures_forget(failures, NULL);
	free(failures->slots);
	failures->slots = NULL;
}

void recent_failures_note(struct recent_failures *failures, const struct op_args *args,
			  const struct failure *failure, uint64_t now)
{
	const char *name = is_for_all_names(failure) ? NULL : args->name;
	struct recent_failure *recent;

	if (is_kept_elsewhere(args, failure))
		return;
	if (!failures->slots)
		failures->slots = calloc(RECENT_FAILURES_MAX, sizeof *failures->slots);
	if (!failures->slots)
		return;
	recent = &failures->slots[failures->next++ % RECENT_FAILURES_MAX];
	clear(recent);
	recent->store_id = copy(args->store_id);
	recent->name = copy(name);
	if ((args->store_id && !recent->store_id) || (name && !recent->name)) {
		clear(recent);
		return;
	}
	recent->operation = args->operation;
	recent->until = now + KEPT_FOR;
	recent->failure = *failure;
}

const struct failure *recent_failures_find(const struct recent_failures *failures,
					   const struct op_args *args, uint64_t now)
{
	for (size_t i = 0; failures->slots && i < RECENT_FAILURES_MAX; i++) {
		const struct recent_failure *recent = &failures->slots[i];

		if (now < recent->until && recent->operation == args->operation &&
		    is_same(recent->store_id, args->store_id) &&
		    (!recent->name || is_same(recent->name, args->name)))
			return &recent->failure;
	}
	return NULL;
}

void recent_failures_forget(struct recent_failures *failures, const char *store_id)
{
	for (size_t i = 0; failures->slots && i < RECENT_FAILURES_MAX; i++)
		if (!store_id || is_same(failures->slots[i].store_id, store_id))
			clear(&failures->slots[i]);
}
