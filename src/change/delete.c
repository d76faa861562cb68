/* Deletes a secret. */
#include <errno.h>

#include "change_op.h"

static void send(struct delete_op *deletion);

static void on_response(struct api_call *api_call)
{
	struct delete_op *deletion = container_of(api_call, struct delete_op, change.api_call);
	struct change_op *op = &deletion->change;

	op->indeterminate = api_call->http.indeterminate;
	op->failure = api_call->failure;
	api_call_free(api_call);
	/* The lost attempt deleted it: there was one, and now there is none. */
	if (op->indeterminate && op->failure.http_status == 404)
		op->failure = (struct failure){0};
	/* Another client may have created it anew, with another id. */
	if (!op->indeterminate && op->failure.errnum == ENOENT && !op->failure.store_is_deleted &&
	    op_provider(op)->writes_by_id && !deletion->has_looked_up) {
		op->id[0] = '\0';
		send(deletion);
		return;
	}
	sealed_cache_drop(&op_catalog(op)->sealed_cache, op->store, op->name);
	if (!op->failure.errnum || op->failure.errnum == ENOENT)
		listing_local_delete(op->listing, op->name);
	change_op_finish(op);
}

static void on_lookup(struct lookup *lookup)
{
	struct delete_op *deletion = container_of(lookup, struct delete_op, change.lookup);
	struct change_op *op = &deletion->change;

	op->failure = lookup->failure;
	if (!op->failure.errnum) {
		change_op_note_id(op, lookup->record);
		if (!op->id[0])
			failure_set(&op->failure, EIO, "the service told no id of this secret");
	}
	if (op->failure.errnum)
		change_op_finish(op);
	else
		send(deletion);
}

static void send(struct delete_op *deletion)
{
	struct change_op *op = &deletion->change;

	if (op_provider(op)->writes_by_id && !op->id[0]) {
		deletion->has_looked_up = true;
		change_op_lookup(op, op->name, true, on_lookup);
		return;
	}
	change_op_prepare(op, OPERATION_DELETE_SECRET, op->name, on_response);
	change_op_send(op);
}

static void begin(struct change_op *op)
{
	const struct record *record = NULL;

	listing_query(op->listing, op->name, &record);
	change_op_note_id(op, record);
	send(container_of(op, struct delete_op, change));
}

static void done(struct change_op *op)
{
	struct delete_op *deletion = container_of(op, struct delete_op, change);

	deletion->done(deletion);
}

void delete_start(struct delete_op *deletion)
{
	static const struct change_steps steps = {.begin = begin, .done = done};

	change_op_start(&deletion->change, deletion->change.name, &steps);
}

void delete_cancel(struct delete_op *deletion)
{
	change_op_cancel(&deletion->change);
}
