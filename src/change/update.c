/*
 * Changes the attributes of a stored secret: waits in the queue of the name, looks up the id, sends
 * the change.
 */
#include <errno.h>

#include "change_op.h"

static int on_entry(void *context, const struct entry *entry)
{
	struct update_op *update = container_of(context, struct update_op, change);
	struct entry named = *entry;

	named.name = update->change.name;
	update->record = listing_local_put(update->change.listing, &named, 0);
	return 0;
}

static void on_response(struct api_call *api_call)
{
	struct update_op *update = container_of(api_call, struct update_op, change.api_call);
	struct change_op *op = &update->change;

	op->failure = api_call->failure;
	op->indeterminate = api_call->http.indeterminate;
	api_call_free(api_call);
	if (op->failure.errnum == ENOENT && !op->failure.store_is_deleted && !op->has_looked_up) {
		/* Another client deleted it, and perhaps created it anew with another id. */
		change_op_lookup_id(op);
		return;
	}
	/* It succeeded, and the response does not describe the secret. */
	if (!op->failure.errnum && !update->record)
		change_op_invalidate(op);
	change_op_finish(op);
}

static void send(struct change_op *op)
{
	const struct update_op *update = container_of(op, struct update_op, change);
	struct op_args *args;

	if (!op->id[0]) {
		change_op_lookup_id(op);
		return;
	}
	args = change_op_prepare(op, OPERATION_UPDATE_SECRET, op->name, on_response);
	args->scopes = update->scopes;
	args->comment = update->comment;
	op->api_call.on_entry = on_entry;
	change_op_send(op);
}

/* The cache was wrong about the secret, or about its store. */
static void conclude(struct change_op *op)
{
	if (op->failure.errnum == ENOENT)
		change_op_invalidate(op);
	if (op->failure.store_is_deleted)
		listing_invalidate(&op_catalog(op)->stores, op->store->name, 0);
}

/* Where a change takes the value: sends the value that was sealed when it was written last. */

static void on_resent(struct change_op *put)
{
	struct update_op *update = container_of(put, struct update_op, put.change);

	update->is_resending = false;
	update->record = update->put.record;
	update->stored_in = update->put.stored_in;
	if (put->failure.errnum)
		change_op_fail_as(&update->change, &put->failure);
	else
		change_op_finish(&update->change);
}

static void resend(struct change_op *op)
{
	struct update_op *update = container_of(op, struct update_op, change);

	update->put = (struct put_op){.change.store = op->store,
				      .change.name = op->name,
				      .change.deadline = op->deadline,
				      .change.is_queue_head = true,
				      .change.done = on_resent,
				      .mode = PUT_REPLACE,
				      .resends = op->name,
				      .visibility = update->visibility,
				      .repositories = update->repositories};
	update->is_resending = true;
	put_start(&update->put);
}

static void release(struct change_op *op)
{
	struct update_op *update = container_of(op, struct update_op, change);

	if (update->is_resending)
		put_cancel(&update->put);
	update->is_resending = false;
}

void update_start(struct update_op *update)
{
	static const struct change_steps resending = {
		.begin = resend, .release = release, .conclude = conclude};

	static const struct change_steps steps = {.begin = change_op_begin_by_id,
						  .retry = send,
						  .conclude = conclude,
						  .no_id = EINVAL};

	update->stored_in.to = TIME_UNKNOWN;
	change_op_start(&update->change, update->change.name,
			update->visibility || update->repositories ? &resending : &steps);
}
