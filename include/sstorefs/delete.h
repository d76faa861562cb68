#ifndef SSTOREFS_DELETE_H
#define SSTOREFS_DELETE_H

#include "sstorefs/api_call.h"
#include "sstorefs/name_queue.h"

/*
 * Deletes a secret.
 */

/* Deletes a secret. ENOENT only if none was there and no earlier attempt of ours was lost. */
struct delete_op {
	struct store *store;
	const char *name;
	uint64_t deadline;
	void (*done)(struct delete_op *deletion);

	struct failure failure;

	struct name_ticket ticket;
	struct timer timer;
	struct lookup lookup;
	struct api_call api_call;
	bool has_looked_up;
	char id[128];
};

void delete_start(struct delete_op *deletion);

void delete_cancel(struct delete_op *deletion);

#endif
