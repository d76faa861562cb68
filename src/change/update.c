/*
 * Changes the attributes of a stored secret: waits in the queue of the name, looks up the id, sends
 * the change.
 */
#include <errno.h>

#include "change_op.h"

static void send(struct update_op *update);

static void begin(struct change_op *op)
{
	const struct record *record = NULL;

	listing_query(op->listing, op->name, &record);
	change_op_note_id(op, record);
	send(container_of(op, struct update_op, change));
}

static void on_lookup(struct lookup *lookup)
{
	struct update_op *update = container_of(lookup, struct update_op, change.lookup);
	struct change_op *op = &update->change;

	op->failure = lookup->failure;
	if (!op->failure.errnum) {
		change_op_note_id(op, lookup->record);
		if (!op->id[0])
			failure_set(&op->failure, EINVAL, "the service told no id of this secret");
	}
	if (op->failure.errnum)
		change_op_finish(op);
	else
		send(update);
}

static void start_lookup(struct update_op *update)
{
	update->has_looked_up = true;
	change_op_lookup(&update->change, update->change.name, true, on_lookup);
}

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
	if (op->failure.errnum == ENOENT && !op->failure.store_is_deleted &&
	    !update->has_looked_up) {
		/* Another client deleted it, and perhaps created it anew with another id. */
		start_lookup(update);
		return;
	}
	/* It succeeded, and the response does not describe the secret. */
	if (!op->failure.errnum && !update->record)
		change_op_invalidate(op);
	change_op_finish(op);
}

static void send(struct update_op *update)
{
	struct change_op *op = &update->change;
	struct op_args *args;

	if (!op->id[0]) {
		start_lookup(update);
		return;
	}
	args = change_op_prepare(op, OPERATION_UPDATE_SECRET, op->name, on_response);
	args->scopes = update->scopes;
	args->comment = update->comment;
	op->api_call.result.on_entry = on_entry;
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

static void done(struct change_op *op)
{
	struct update_op *update = container_of(op, struct update_op, change);

	update->done(update);
}

void update_start(struct update_op *update)
{
	static const struct change_steps steps = {
		.begin = begin, .conclude = conclude, .done = done};

	change_op_start(&update->change, update->change.name, &steps);
}

void update_cancel(struct update_op *update)
{
	change_op_cancel(&update->change);
}
