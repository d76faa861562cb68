/* The base of the operations of this room. */
#pragma once

#include "fetch/catalog.h"
#include "sstorefs/change.h"

/* The steps in which one kind of change differs; NULL: nothing is done. */
struct change_steps {
	void (*begin)(struct change_op *op); /* first in the queue of the name */
	/* The pause of change_op_retry is over, or change_op_lookup_id has found the id. */
	void (*retry)(struct change_op *op);
	void (*time_out)(struct change_op *op); /* NULL: fails with ETIMEDOUT */
	void (*conclude)(struct change_op *op); /* at the end, while everything is still held */
	void (*release)(struct change_op *op);	/* frees what the operation holds beside the base */
	int no_id; /* errno where the service tells no id of the secret */
};

static inline struct catalog *op_catalog(const struct change_op *op)
{
	return op->listing->catalog;
}

static inline const struct provider *op_provider(const struct change_op *op)
{
	return op->listing->catalog->options.provider;
}

/* Makes `op` ready for lookups, API calls and retries, without a queue and without a timer. */
void change_op_init(struct change_op *op, struct listing *listing,
		    const struct change_steps *steps);

/* Makes `op` ready, starts its timer and joins the queue of `name`; then calls steps->begin. */
void change_op_start(struct change_op *op, const char *name, const struct change_steps *steps);

/*
 * Ends the change and calls its `done`. A failure while an attempt is indeterminate becomes EIO or
 * ETIMEDOUT, and the name is invalidated (doc/semantics.md, rule 13).
 */
void change_op_finish(struct change_op *op);

/* Ends the change with a copy of `failure`. */
void change_op_fail_as(struct change_op *op, const struct failure *failure);

/* Ends the change with a failure of `errnum` (positive) and the message `why`. */
void change_op_fail(struct change_op *op, int errnum, const char *why);

/* True if a request of the present step was sent, or may have been. */
bool change_op_was_sent(const struct change_op *op);

/* Makes the next lookup of the name go to the service. */
void change_op_invalidate(struct change_op *op);

/* Looks up `name`; with `bypass_cache` at the service, whatever the cache has. */
void change_op_lookup(struct change_op *op, const char *name, bool bypass_cache,
		      void (*done)(struct lookup *lookup));

/* Copies the id of `record` (NULL: none), because the record may be freed during a request. */
void change_op_note_id(struct change_op *op, const struct record *record);

/* Returns the record that the cache has of the name (NULL: none), and copies its id. */
const struct record *change_op_query(struct change_op *op);

/* Takes the id of the secret from the cache, then calls steps->retry. */
void change_op_begin_by_id(struct change_op *op);

/* Looks up the id of the secret at the service, then calls steps->retry. */
void change_op_lookup_id(struct change_op *op);

/* Prepares an API call about `name`; the caller adds arguments, then calls change_op_send. */
struct op_args *change_op_prepare(struct change_op *op, enum operation operation, const char *name,
				  void (*done)(struct api_call *api_call));

void change_op_send(struct change_op *op);

/*
 * Calls steps->retry after a pause, because the service lost an attempt. Returns false if the
 * deadline is nearer than that, or memory ran out.
 */
bool change_op_retry(struct change_op *op);
