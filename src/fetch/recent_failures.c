/* What was asked in vain is not asked again for some seconds; who asks what is name_query.c's,
 * walk.c's and quota.c's. */
#include "recent_failures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REMEMBERED 5000 /* milliseconds */

static bool is_same(const char *left, const char *right)
{
	return left && right ? !strcmp(left, right) : left == right;
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

/* Whether another place remembers it: the listing, that there is nothing of this name; the network,
 * that the service is down (net_down). */
static bool is_remembered(const struct op_args *args, const struct failure *failure)
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

/* Whether the token, or the store, is what was refused, and not the one name. */
static bool is_for_all_names(const struct failure *failure)
{
	return failure->http_status == 401 || failure->http_status == 403 ||
	       failure->store_is_deleted;
}

static void clear(struct refusal *refusal)
{
	free(refusal->store_id);
	free(refusal->name);
	*refusal = (struct refusal){0};
}

void refusals_finish(struct refusals *refusals)
{
	refusals_forget(refusals, NULL);
	free(refusals->refusal);
	refusals->refusal = NULL;
}

void refusals_note(struct refusals *refusals, const struct op_args *args,
		   const struct failure *failure, uint64_t now)
{
	const char *name = is_for_all_names(failure) ? NULL : args->name;
	struct refusal *refusal;

	if (is_remembered(args, failure))
		return;
	if (!refusals->refusal)
		refusals->refusal = calloc(REFUSALS_MAX, sizeof *refusals->refusal);
	if (!refusals->refusal)
		return;
	refusal = &refusals->refusal[refusals->next++ % REFUSALS_MAX];
	clear(refusal);
	refusal->store_id = copy(args->store_id);
	refusal->name = copy(name);
	if ((args->store_id && !refusal->store_id) || (name && !refusal->name)) {
		clear(refusal);
		return;
	}
	refusal->operation = args->operation;
	refusal->until = now + REMEMBERED;
	refusal->failure = *failure;
}

const struct failure *refusals_find(const struct refusals *refusals, const struct op_args *args,
				    uint64_t now)
{
	for (size_t i = 0; refusals->refusal && i < REFUSALS_MAX; i++) {
		const struct refusal *refusal = &refusals->refusal[i];

		if (now < refusal->until && refusal->operation == args->operation &&
		    is_same(refusal->store_id, args->store_id) &&
		    (!refusal->name || is_same(refusal->name, args->name)))
			return &refusal->failure;
	}
	return NULL;
}

void refusals_forget(struct refusals *refusals, const char *store_id)
{
	for (size_t i = 0; refusals->refusal && i < REFUSALS_MAX; i++)
		if (!store_id || is_same(refusals->refusal[i].store_id, store_id))
			clear(&refusals->refusal[i]);
}
