/*
 * Changes what a stored secret has beside its value: waits in the queue of the name, looks up the
 * id, sends the change.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fetch/catalog.h"
#include "sstorefs/change.h"

static void send(struct update_op *update);

static struct listing *listing_of(const struct update_op *update)
{
	return &update->store->secrets;
}

static void op_release(struct update_op *update)
{
	lookup_cancel(&update->lookup);
	api_call_cancel(&update->api_call);
	timer_stop(update->store->catalog->loop, &update->timer);
	name_queue_leave(&update->ticket);
}

static void op_finish(struct update_op *update)
{
	/* What we believed was wrong. */
	if (update->failure.errnum == ENOENT)
		listing_invalidate(listing_of(update), update->name, 0);
	if (update->failure.store_is_deleted)
		listing_invalidate(&update->store->catalog->stores, update->store->name, 0);
	op_release(update);
	update->done(update);
}

static void timed_out(struct timer *timer)
{
	struct update_op *update = container_of(timer, struct update_op, timer);

	if (update->api_call.http.times_sent)
		listing_invalidate(listing_of(update), update->name, 0);
	failure_set(&update->failure, ETIMEDOUT, "the service did not answer in time");
	op_finish(update);
}

static void on_id_entry(struct update_op *update, const struct record *record)
{
	const char *id = record ? record_id(record) : NULL;

	snprintf(update->id, sizeof update->id, "%s",
		 id && strlen(id) < sizeof update->id ? id : "");
}

static void on_queue_head(struct name_ticket *ticket)
{
	struct update_op *update = container_of(ticket, struct update_op, ticket);
	const struct record *record = NULL;

	listing_query(listing_of(update), update->name, &record);
	on_id_entry(update, record);
	send(update);
}

void update_start(struct update_op *update)
{
	update->failure = (struct failure){0};
	update->timer = (struct timer){.expired = timed_out};
	update->ticket = (struct name_ticket){.begin = on_queue_head};
	/* A little later than the call's own deadline, which knows more about what happened. */
	if (timer_start(update->store->catalog->loop, &update->timer, update->deadline + 50) ||
	    name_queue_join(listing_of(update), update->name, &update->ticket)) {
		failure_set(&update->failure, ENOMEM, "out of memory");
		op_finish(update);
	}
}

void update_cancel(struct update_op *update)
{
	if (update->api_call.http.times_sent)
		listing_invalidate(listing_of(update), update->name, 0);
	op_release(update);
}

/* Its id */

static void on_lookup(struct lookup *lookup)
{
	struct update_op *update = container_of(lookup, struct update_op, lookup);

	update->failure = lookup->failure;
	if (!update->failure.errnum) {
		on_id_entry(update, lookup->record);
		if (!update->id[0])
			failure_set(&update->failure, EINVAL,
				    "the service told no id of this secret");
	}
	if (update->failure.errnum)
		op_finish(update);
	else
		send(update);
}

static void start_lookup(struct update_op *update)
{
	update->has_looked_up = true;
	update->lookup = (struct lookup){
		.deadline = update->deadline, .bypass_cache = true, .done = on_lookup};
	strcpy(update->lookup.name, update->name);
	lookup_start(listing_of(update), &update->lookup);
}

/* The change */

static int on_entry(void *context, const struct entry *entry)
{
	struct update_op *update = context;
	struct entry named = *entry;

	named.name = update->name;
	update->record = listing_local_put(listing_of(update), &named, 0);
	return 0;
}

static void on_response(struct api_call *api_call)
{
	struct update_op *update = container_of(api_call, struct update_op, api_call);
	const struct failure *failure = &update->failure;

	update->failure = api_call->failure;
	api_call_free(api_call);
	if (failure->errnum == ENOENT && !failure->store_is_deleted && !update->has_looked_up) {
		/* Somebody deleted it, and perhaps made it anew: then it has another id. */
		start_lookup(update);
		return;
	}
	/* Done, but not told how it is now; or perhaps done. */
	if ((!failure->errnum && !update->record) ||
	    (failure->errnum && api_call->http.indeterminate))
		listing_invalidate(listing_of(update), update->name, 0);
	op_finish(update);
}

static void send(struct update_op *update)
{
	if (!update->id[0]) {
		start_lookup(update);
		return;
	}
	update->api_call = (struct api_call){.done = on_response};
	update->api_call.result.on_entry = on_entry;
	update->api_call.result.context = update;
	update->api_call.args = (struct op_args){
		.operation = OPERATION_UPDATE_SECRET,
		.store_id = update->store->id,
		.name = update->name,
		.id = update->id,
		.scopes = update->scopes,
		.comment = update->comment,
		.expires_at = TIME_UNKNOWN,
	};
	api_call_start(update->store->catalog, &update->api_call, update->deadline);
}
