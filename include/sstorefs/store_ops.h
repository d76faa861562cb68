#pragma once

#include "sstorefs/change_op.h"

/*
 * Creates the store `change.name`, or deletes the store `change.store`. A store with secrets is not
 * deleted: that fails with ENOTEMPTY, as the service says or as its listing shows, never from the
 * cache.
 */
struct store_op {
	struct change_op change;
	struct catalog *catalog;
	void (*done)(struct store_op *op);

	/* The rest is internal. */
	struct task task;
	struct buffer cursor;
	bool got_entry; /* the response described the new store */
};

void store_create_start(struct store_op *op);

void store_delete_start(struct store_op *op);

/* Ends it without `done`. If a request was sent, the name is invalidated. */
void store_op_cancel(struct store_op *op);
