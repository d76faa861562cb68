/* Creates and deletes stores. */
#include <errno.h>
#include <string.h>

#include "fetch/catalog.h"
#include "sstorefs/change.h"

#define TRIES_MAX 3 /* how often a store is created whose every attempt is lost without effect */

static void send_creation(struct store_op *op);

static void op_release(struct store_op *op)
{
	lookup_cancel(&op->lookup);
	api_call_cancel(&op->api_call);
	task_cancel(&op->task);
	timer_stop(op->catalog->loop, &op->retry_timer);
	buffer_finish(&op->cursor);
}

static void op_finish(struct store_op *op)
{
	op_release(op);
	op->done(op);
}

static void end_later(struct task *task)
{
	op_finish(container_of(task, struct store_op, task));
}

void store_op_cancel(struct store_op *op)
{
	if (op->api_call.http.times_sent)
		listing_invalidate(&op->catalog->stores, op->store ? op->store->name : op->name, 0);
	op_release(op);
}

static void send_call(struct store_op *op, enum operation operation,
		      void (*done)(struct api_call *api_call))
{
	buffer_clear(&op->cursor);
	op->api_call = (struct api_call){.done = done};
	op->api_call.args.operation = operation;
	op->api_call.args.name = op->name;
	op->api_call.args.store_id = op->store ? op->store->id : NULL;
	op->api_call.args.page = 1;
}

/* --- mkdir
 * -------------------------------------------------------------------------------------------------------------------
 */

static int on_created_entry(void *context, const struct entry *entry)
{
	struct store_op *op = context;
	struct entry named = *entry;

	named.name = op->name;
	op->got_entry = true;
	return listing_local_put(&op->catalog->stores, &named, 0) ? 0 : -ENOMEM;
}

static void on_retry_timer(struct timer *timer)
{
	send_creation(container_of(timer, struct store_op, retry_timer));
}

/* It was lost and has done nothing. The service is not well: it is not asked again at once. */
static void try_later(struct store_op *op)
{
	struct loop *loop = op->catalog->loop;
	uint64_t at = loop_now(loop) + net_backoff(op->retries);

	op->retry_timer = (struct timer){.expired = on_retry_timer};
	if (at >= op->deadline || timer_start(loop, &op->retry_timer, at))
		op_finish(op); /* with the failure of the attempt that was lost */
}

/* After a lost answer: a store of this name is there. Nobody can tell whether it is the one we
 * made: a name that was free when it was asked for, and is taken now, is what mkdir was to bring
 * about. */
static void on_lookup(struct lookup *lookup)
{
	struct store_op *op = container_of(lookup, struct store_op, lookup);

	if (!lookup->failure.errnum) {
		op->failure = (struct failure){0};
	} else if (lookup->failure.errnum == ENOENT && op->failure.errnum &&
		   ++op->retries < TRIES_MAX) {
		try_later(op);
		return;
	}
	op_finish(op);
}

static void created(struct api_call *api_call)
{
	struct store_op *op = container_of(api_call, struct store_op, api_call);
	struct catalog *catalog = op->catalog;
	bool lost = api_call->http.indeterminate;
	/* Made and not described: without its id there is no way into it. */
	bool is_unknown = !api_call->failure.errnum && !op->got_entry;
	/* What was absent after an attempt that was lost, and is there now, may be that one's all
	 * the same. */
	bool must_look_up =
		lost || is_unknown || (op->retries && api_call->failure.errnum == EEXIST);

	op->failure = api_call->failure;
	api_call_free(api_call);
	if (must_look_up || op->failure.errnum == EEXIST)
		listing_invalidate(&catalog->stores, op->name, 0);
	if (!must_look_up) {
		op_finish(op);
		return;
	}
	op->lookup =
		(struct lookup){.deadline = op->deadline, .bypass_cache = true, .done = on_lookup};
	strcpy(op->lookup.name, op->name);
	lookup_start(&catalog->stores, &op->lookup);
}

static void send_creation(struct store_op *op)
{
	op->got_entry = false;
	send_call(op, OPERATION_CREATE_STORE, created);
	op->api_call.result.on_entry = on_created_entry;
	op->api_call.result.context = op;
	api_call_start(op->catalog, &op->api_call, op->deadline);
}

void store_create_start(struct store_op *op)
{
	struct catalog *catalog = op->catalog;
	struct entry scope = {.name = op->name,
			      .id = op->name,
			      .created_at = TIME_UNKNOWN,
			      .modified_at = TIME_UNKNOWN,
			      .expires_at = TIME_UNKNOWN,
			      .livemode = -1};

	op->failure = (struct failure){0};
	op->task = (struct task){.run = end_later};
	if (catalog->options.provider->stores_are_local) {
		if (!listing_local_put(&catalog->stores, &scope, 0))
			failure_set(&op->failure, ENOMEM, "out of memory");
		task_queue(catalog->loop, &op->task);
		return;
	}
	op->retries = 0;
	op->retry_timer = (struct timer){0};
	send_creation(op);
}

/* --- rmdir
 * -------------------------------------------------------------------------------------------------------------------
 */

static void deleted(struct api_call *api_call)
{
	struct store_op *op = container_of(api_call, struct store_op, api_call);

	op->failure = api_call->failure;
	if (api_call->http.indeterminate && op->failure.http_status == 404)
		op->failure = (struct failure){0};
	/* It still has secrets: so nothing has become of what was lost. */
	if (api_call->http.indeterminate && op->failure.http_status == 409)
		failure_set(&op->failure, ENOTEMPTY,
			    "the store %s still has secrets: delete them first", op->store->name);
	if (!op->failure.errnum || op->failure.errnum == ENOENT)
		listing_local_delete(&op->catalog->stores, op->store->name);
	else if (api_call->http.indeterminate)
		listing_invalidate(&op->catalog->stores, op->store->name, 0);
	api_call_free(api_call);
	op_finish(op);
}

static void delete_store(struct store_op *op)
{
	if (op->catalog->options.provider->stores_are_local) {
		listing_local_delete(&op->catalog->stores, op->store->name);
		op_finish(op);
		return;
	}
	send_call(op, OPERATION_DELETE_STORE, deleted);
	api_call_start(op->catalog, &op->api_call, op->deadline);
}

static int ignore_entry(void *context, const struct entry *entry)
{
	(void)context;
	(void)entry;
	return 0;
}

/* A page of the store that is to be deleted: one entry of any kind, or of none that we understand,
 * keeps it. */
static void checked(struct api_call *api_call)
{
	struct store_op *op = container_of(api_call, struct store_op, api_call);
	struct op_result *result = &api_call->result;

	op->failure = api_call->failure;
	if (!op->failure.errnum && result->entries) {
		failure_set(&op->failure, ENOTEMPTY,
			    "the store %s still has secrets: delete them first", op->store->name);
	} else if (!op->failure.errnum && result->cursor.length) {
		buffer_clear(&op->cursor);
		buffer_append(&op->cursor, result->cursor.data, result->cursor.length);
		api_call_free(api_call);
		api_call->args.cursor = buffer_cstr(&op->cursor);
		api_call_start(op->catalog, api_call, op->deadline);
		return;
	}
	api_call_free(api_call);
	if (op->failure.errnum)
		op_finish(op);
	else
		delete_store(op);
}

void store_delete_start(struct store_op *op)
{
	const struct provider *provider = op->catalog->options.provider;

	op->failure = (struct failure){0};
	op->task = (struct task){.run = end_later};
	if (provider->delete_store_refuses_nonempty) {
		delete_store(op);
		return;
	}
	send_call(op, OPERATION_LIST_SECRETS, checked);
	op->api_call.result.on_entry = ignore_entry;
	api_call_start(op->catalog, &op->api_call, op->deadline);
}
