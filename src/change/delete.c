/* Deletes a secret. */
#include <errno.h>

#include "change_op.h"

static void send(struct change_op *op);

static void on_response(struct api_call *api_call)
{
	struct change_op *op = container_of(api_call, struct change_op, api_call);

	op->indeterminate = api_call->http.indeterminate;
	op->failure = api_call->failure;
	api_call_free(api_call);
	/* The lost attempt deleted it: there was one, and now there is none. */
	if (op->indeterminate && op->failure.http_status == 404)
		op->failure = (struct failure){0};
	/* Another client may have created it anew, with another id. */
	if (!op->indeterminate && op->failure.errnum == ENOENT && !op->failure.store_is_deleted &&
	    op_provider(op)->writes_by_id && !op->has_looked_up) {
		op->id[0] = '\0';
		send(op);
		return;
	}
	sealed_cache_drop(&op_catalog(op)->sealed_cache, op->store, op->name);
	if (!op->failure.errnum || op->failure.errnum == ENOENT)
		listing_local_delete(op->listing, op->name);
	change_op_finish(op);
}

static void send(struct change_op *op)
{
	if (op_provider(op)->writes_by_id && !op->id[0]) {
		change_op_lookup_id(op);
		return;
	}
	change_op_prepare(op, OPERATION_DELETE_SECRET, op->name, on_response);
	change_op_send(op);
}

void delete_start(struct change_op *op)
{
	static const struct change_steps steps = {
		.begin = change_op_begin_by_id, .retry = send, .no_id = EIO};

	change_op_start(op, op->name, &steps);
}
