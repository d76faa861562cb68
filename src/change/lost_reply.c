/*
 * Settles a put whose reply was lost, by a lookup of the name. The same lookup comes before a put
 * where the service's verbs take it.
 */
#include "lost_reply.h"

#include <errno.h>

/* True if the entry was created since the first attempt to create it was sent. */
static bool is_ours(const struct put_op *put, const struct record *record)
{
	struct entry_text text;
	struct entry entry;

	record_entry(record, &entry, &text);
	return cache_is_since(&op_catalog(&put->change)->cache, entry.created_at,
			      put->first_sent_at);
}

static void on_existing(struct put_op *put, const struct record *record)
{
	struct change_op *op = &put->change;

	if (op->indeterminate && put->created && is_ours(put, record))
		put->record = record;
	else
		failure_set(&op->failure, EEXIST, "there is a secret of this name already");
	op->indeterminate = false;
	change_op_finish(op);
}

static void on_lookup(struct lookup *lookup)
{
	struct put_op *put = container_of(lookup, struct put_op, change.lookup);
	struct change_op *op = &put->change;
	bool present = !lookup->failure.errnum, was_indeterminate = op->indeterminate;

	put->lookups++;
	if (!present && lookup->failure.errnum != ENOENT) {
		change_op_fail_as(op,
				  lookup->failure.errnum == ETIMEDOUT && put->last_response.errnum
					  ? &put->last_response
					  : &lookup->failure);
	} else if (put->mode == PUT_CREATE && present) {
		on_existing(put, lookup->record);
	} else if (put->mode == PUT_REPLACE && !present) {
		op->indeterminate = false;
		change_op_fail(op, ENOENT, "there is no secret of this name");
	} else {
		/* An attempt without effect may be made again; the outcome of one that will be
		 * replaced is not needed any more. */
		op->indeterminate = op->indeterminate && present;
		if (present && !was_indeterminate)
			put->created = false;
		if (!was_indeterminate || present)
			op->steps->retry(op);
		else if (!change_op_retry(op))
			op->steps->time_out(op);
	}
}

void put_lookup(struct put_op *put)
{
	/* If the entry is that of this put, it gets the entry id by which the kernel knows it. */
	if (put->change.indeterminate)
		change_op_invalidate(&put->change);
	change_op_lookup(&put->change, put->change.name, true, on_lookup);
}
