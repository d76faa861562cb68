/* Creates and deletes stores. */
#include <errno.h>
#include <string.h>

#include "change_op.h"

#define TRIES_MAX 3 /* attempts to create a store, if each is lost without effect */

static struct store_op *store_op_of(struct change_op *op)
{
	return container_of(op, struct store_op, change);
}

static void finish_later(struct task *task)
{
	change_op_finish(&container_of(task, struct store_op, task)->change);
}

static void release(struct change_op *op)
{
	task_cancel(&store_op_of(op)->task);
}

/* mkdir */

static int on_created_entry(void *context, const struct entry *entry)
{
	struct store_op *creation = store_op_of(context);

	if (strcmp(entry->name, creation->change.name) != 0) {
		strcpy(creation->made_as, entry->name);
		return 0;
	}
	creation->got_entry = true;
	return listing_local_put(creation->change.listing, entry, 0) ? 0 : -ENOMEM;
}

/* The service answered with a store of another name. If it is there, it is the one that was made:
 * it is shown under that name, and the caller learns of it. */
static void on_other_name(struct lookup *lookup)
{
	struct change_op *op = container_of(lookup, struct change_op, lookup);
	const char *made_as = store_op_of(op)->made_as;

	if (!lookup->failure.errnum)
		failure_set(&op->failure, EINVAL,
			    "the service made the store as %s: use it by that name, or rmdir it",
			    made_as);
	else
		failure_set(&op->failure, EIO,
			    "the service answered with another store, %s, and it is not there: "
			    "see with ls what is",
			    made_as);
	change_op_finish(op);
}

/* The service refuses another store, and an attempt was lost: that may have made it in another
 * spelling. */
static void blame_lost_attempt(struct change_op *op)
{
	struct failure refused = op->failure;

	listing_expire(op->listing);
	failure_set(&op->failure, EIO,
		    "no answer came to the first attempt, and then: %s: see with ls whether the "
		    "store was made, perhaps in another spelling",
		    refused.message);
}

/*
 * After an indeterminate attempt. Nothing tells whether a store of this name is the one that we
 * created: the name was free before and is taken now, which is what mkdir was to bring about.
 */
static void on_lookup(struct lookup *lookup)
{
	struct change_op *op = container_of(lookup, struct change_op, lookup);

	if (!lookup->failure.errnum)
		op->failure = (struct failure){0};
	else if (lookup->failure.errnum == ENOENT && op->failure.errnum == EEXIST)
		blame_lost_attempt(op);
	else if (lookup->failure.errnum == ENOENT && op->failure.errnum &&
		 op->retries + 1 < TRIES_MAX && change_op_retry(op))
		return;
	change_op_finish(op); /* with the failure of the attempt that was lost */
}

static void on_created(struct api_call *api_call)
{
	struct change_op *op = container_of(api_call, struct change_op, api_call);
	/* Without an entry the id is not known, and without its id the store cannot be used. */
	bool is_unknown = !api_call->failure.errnum && !store_op_of(op)->got_entry;
	/* A store that was absent after a lost attempt and is there now may be from it. */
	bool must_look_up = api_call->http.indeterminate || is_unknown ||
			    (op->retries && api_call->failure.errnum == EEXIST);

	op->failure = api_call->failure;
	api_call_free(api_call);
	if (!op->failure.errnum && store_op_of(op)->made_as[0]) {
		change_op_invalidate(op);
		change_op_lookup(op, store_op_of(op)->made_as, true, on_other_name);
		return;
	}
	if (op->retries && op->failure.errnum == EDQUOT)
		blame_lost_attempt(op);
	if (must_look_up || op->failure.errnum == EEXIST)
		change_op_invalidate(op);
	if (must_look_up)
		change_op_lookup(op, op->name, true, on_lookup);
	else
		change_op_finish(op);
}

static void send_creation(struct change_op *op)
{
	store_op_of(op)->got_entry = false;
	store_op_of(op)->made_as[0] = '\0';
	change_op_prepare(op, OPERATION_CREATE_STORE, op->name, on_created);
	op->api_call.on_entry = on_created_entry;
	change_op_send(op);
}

static const struct change_steps steps = {.retry = send_creation, .release = release};

/* Takes every response but a 404 for a store that exists, perhaps in another spelling. */
static void on_existing(struct api_call *api_call)
{
	struct change_op *op = container_of(api_call, struct change_op, api_call);
	bool is_absent = api_call->failure.http_status == 404;

	op->failure = api_call->failure;
	api_call_free(api_call);
	if (is_absent) {
		op->failure = (struct failure){0};
		send_creation(op);
		return;
	}
	if (!op->failure.errnum)
		failure_set(&op->failure, EEXIST, "there is a store of this name already");
	else if (op->failure.errnum == ENOENT)
		op->failure.errnum = EEXIST; /* its words say in which spelling */
	if (op->failure.errnum == EEXIST)
		change_op_invalidate(op);
	change_op_finish(op);
}

/* Looks for a store of that name first, because creating would change one that exists. */
static void find_existing(struct change_op *op)
{
	change_op_prepare(op, OPERATION_FIND_STORE, op->name, on_existing);
	op->api_call.on_entry = on_created_entry;
	change_op_send(op);
}

void store_create_start(struct store_op *creation)
{
	struct change_op *op = &creation->change;
	struct catalog *catalog = creation->catalog;
	const struct provider *provider = catalog->options.provider;

	change_op_init(op, &catalog->stores, &steps);
	creation->task = (struct task){.run = finish_later};
	if (provider->create_store_overwrites) {
		find_existing(op);
		return;
	}
	if (!provider->stores_are_local) {
		send_creation(op);
		return;
	}
	if (local_store_add(catalog, op->name, strlen(op->name)))
		failure_set(&op->failure, ENOMEM, "out of memory");
	task_queue(catalog->loop, &creation->task);
}

/* rmdir */

static void refuse_nonempty(struct change_op *op)
{
	failure_set(&op->failure, ENOTEMPTY, "the store %s still has secrets: delete them first",
		    op->name);
}

static void on_deleted(struct api_call *api_call)
{
	struct change_op *op = container_of(api_call, struct change_op, api_call);
	bool indeterminate = api_call->http.indeterminate;

	op->failure = api_call->failure;
	api_call_free(api_call);
	if (indeterminate && op->failure.http_status == 404)
		op->failure = (struct failure){0};
	/* The store still has secrets, so the lost attempt has not deleted it. */
	if (indeterminate && op->failure.http_status == 409)
		refuse_nonempty(op);
	if (!op->failure.errnum || op->failure.errnum == ENOENT)
		listing_local_delete(op->listing, op->name);
	else if (indeterminate)
		change_op_invalidate(op);
	change_op_finish(op);
}

static void delete_store(struct change_op *op)
{
	if (op_provider(op)->stores_are_local) {
		listing_local_delete(op->listing, op->name);
		change_op_finish(op);
		return;
	}
	change_op_prepare(op, OPERATION_DELETE_STORE, op->name, on_deleted);
	change_op_send(op);
}

/* A page of the store that is to be deleted: one entry of any kind, readable or not, keeps it. */
static void on_page(struct api_call *api_call)
{
	struct change_op *op = container_of(api_call, struct change_op, api_call);
	const struct op_result *result = &api_call->result;

	op->failure = api_call->failure;
	if (!op->failure.errnum && result->entries) {
		refuse_nonempty(op);
	} else if (!op->failure.errnum && result->cursor.length) {
		api_call_follow_cursor(api_call);
		change_op_send(op);
		return;
	}
	api_call_free(api_call);
	if (op->failure.errnum)
		change_op_finish(op);
	else
		delete_store(op);
}

void store_delete_start(struct store_op *deletion)
{
	struct change_op *op = &deletion->change;

	change_op_init(op, &deletion->catalog->stores, &steps);
	op->name = op->store->name;
	if (op_provider(op)->delete_store_refuses_nonempty) {
		delete_store(op);
		return;
	}
	change_op_prepare(op, OPERATION_LIST_SECRETS, op->name, on_page)->page = 1;
	change_op_send(op);
}
