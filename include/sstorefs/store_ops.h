#ifndef SSTOREFS_STORE_OPS_H
#define SSTOREFS_STORE_OPS_H

#include "sstorefs/api_call.h"
#include "sstorefs/name_queue.h"

/*
 * Creates and deletes stores.
 */

/* Creates or deletes a store. A store with secrets is not deleted: ENOTEMPTY, by the service's word
 * or by looking there, never from memory. */
struct store_op {
	struct catalog *catalog;
	const char *name;    /* to create */
	struct store *store; /* to delete */
	uint64_t deadline;
	void (*done)(struct store_op *op);

	struct failure failure;

	struct api_call api_call;
	struct task task;
	struct lookup lookup;
	struct buffer cursor;
	bool got_entry;		  /* the answer described what was made */
	unsigned retries;	  /* attempts to create it that were lost, and without effect */
	struct timer retry_timer; /* before the next one */
};

void store_create_start(struct store_op *op);

void store_delete_start(struct store_op *op);

void store_op_cancel(struct store_op *op);

#endif
