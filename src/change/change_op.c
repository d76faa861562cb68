/* The common course of a change: queue of the name, deadline, lookups, API calls and retries. */
#include "change_op.h"

#include <errno.h>
#include <string.h>

/* Milliseconds that the timer leaves to the API call, which has the same deadline. */
#define DEADLINE_SLACK 50

static void on_queue_head(struct name_ticket *ticket)
{
	struct change_op *op = container_of(ticket, struct change_op, ticket);

	op->steps->begin(op);
}

static void on_retry_timer(struct timer *timer)
{
	struct change_op *op = container_of(timer, struct change_op, retry_timer);

	op->steps->retry(op);
}

static void on_timeout(struct timer *timer)
{
	struct change_op *op = container_of(timer, struct change_op, timer);

	op->indeterminate |= change_op_was_sent(op);
	if (op->steps->time_out)
		op->steps->time_out(op);
	else
		change_op_fail(op, ETIMEDOUT, "the service did not answer in time");
}

void change_op_init(struct change_op *op, struct listing *listing, const struct change_steps *steps)
{
	op->failure = (struct failure){0};
	op->steps = steps;
	op->listing = listing;
	op->ticket = (struct name_ticket){.begin = on_queue_head};
	op->timer = (struct timer){.expired = on_timeout};
	op->retry_timer = (struct timer){.expired = on_retry_timer};
	op->retries = 0;
	op->has_looked_up = false;
	op->indeterminate = false;
}

void change_op_start(struct change_op *op, const char *name, const struct change_steps *steps)
{
	bool is_queue_head = op->is_queue_head; /* a change that begins at once may free `op` */

	change_op_init(op, &op->store->secrets, steps);
	listing_expect_change(op->listing, name);
	if (timer_start(op_catalog(op)->loop, &op->timer, op->deadline + DEADLINE_SLACK) ||
	    (!is_queue_head && name_queue_join(op->listing, name, &op->ticket)))
		change_op_fail(op, ENOMEM, "out of memory");
	else if (is_queue_head)
		steps->begin(op);
}

static void release(struct change_op *op)
{
	if (op->steps->release)
		op->steps->release(op);
	lookup_cancel(&op->lookup);
	api_call_cancel(&op->api_call);
	timer_stop(op_catalog(op)->loop, &op->timer);
	timer_stop(op_catalog(op)->loop, &op->retry_timer);
	name_queue_leave(&op->ticket);
}

void change_op_finish(struct change_op *op)
{
	/* The last failure says nothing about the attempt that is indeterminate. */
	if (op->failure.errnum && op->indeterminate) {
		if (op->failure.errnum != ETIMEDOUT)
			op->failure.errnum = EIO;
		change_op_invalidate(op);
	}
	if (op->steps->conclude)
		op->steps->conclude(op);
	release(op);
	op->done(op);
}

void change_op_fail_as(struct change_op *op, const struct failure *failure)
{
	op->failure = *failure;
	change_op_finish(op);
}

void change_op_fail(struct change_op *op, int errnum, const char *why)
{
	failure_set(&op->failure, errnum, "%s", why);
	change_op_finish(op);
}

void change_op_cancel(struct change_op *op)
{
	if (!op->listing)
		return;
	if (op->indeterminate || change_op_was_sent(op))
		change_op_invalidate(op);
	release(op);
}

bool change_op_was_sent(const struct change_op *op)
{
	return op->api_call.http.times_sent;
}

void change_op_invalidate(struct change_op *op)
{
	listing_invalidate(op->listing, op->name, op->entry_id);
}

void change_op_lookup(struct change_op *op, const char *name, bool bypass_cache,
		      void (*done)(struct lookup *lookup))
{
	op->lookup = (struct lookup){
		.deadline = op->deadline, .bypass_cache = bypass_cache, .done = done};
	strcpy(op->lookup.name, name);
	lookup_start(op->listing, &op->lookup);
}

void change_op_note_id(struct change_op *op, const struct record *record)
{
	const char *id = record ? record_id(record) : NULL;

	strcpy(op->id, id && strlen(id) < sizeof op->id ? id : "");
}

const struct record *change_op_query(struct change_op *op)
{
	const struct record *record = NULL;

	listing_query_for_change(op->listing, op->name, &record);
	change_op_note_id(op, record);
	return record;
}

void change_op_begin_by_id(struct change_op *op)
{
	change_op_query(op);
	op->steps->retry(op);
}

static void on_id(struct lookup *lookup)
{
	struct change_op *op = container_of(lookup, struct change_op, lookup);

	op->failure = lookup->failure;
	if (!op->failure.errnum) {
		change_op_note_id(op, lookup->record);
		if (!op->id[0])
			failure_set(&op->failure, op->steps->no_id,
				    "the service told no id of this secret");
	}
	if (op->failure.errnum)
		change_op_finish(op);
	else
		op->steps->retry(op);
}

void change_op_lookup_id(struct change_op *op)
{
	op->has_looked_up = true;
	change_op_lookup(op, op->name, true, on_id);
}

struct op_args *change_op_prepare(struct change_op *op, enum operation operation, const char *name,
				  void (*done)(struct api_call *api_call))
{
	op->api_call = (struct api_call){.done = done, .context = op};
	op->api_call.args = (struct op_args){
		.operation = operation,
		.store_id = op->store ? op->store->id : NULL,
		.name = name,
		.id = op->id[0] ? op->id : NULL,
		.expires_at = TIME_UNKNOWN,
	};
	return &op->api_call.args;
}

void change_op_send(struct change_op *op)
{
	api_call_start(op_catalog(op), &op->api_call, op->deadline);
}

bool change_op_retry(struct change_op *op)
{
	struct loop *loop = op_catalog(op)->loop;
	uint64_t at = loop_now(loop) + net_backoff(op->retries++);

	return at < op->deadline && !timer_start(loop, &op->retry_timer, at);
}
