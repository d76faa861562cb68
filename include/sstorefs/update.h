#ifndef SSTOREFS_UPDATE_H
#define SSTOREFS_UPDATE_H

#include "sstorefs/api_call.h"
#include "sstorefs/name_queue.h"

/*
 * Changes what a secret has beside its value.
 */

/* Changes what a stored secret has beside its value. ENOENT if there is none. */
struct update_op {
	struct store *store;
	const char *name;
	const char *scopes, *comment; /* NULL: as it is; one of them is given */
	uint64_t deadline;
	void (*done)(struct update_op *update);

	struct failure failure;

	struct name_ticket ticket;
	struct timer timer;
	struct lookup lookup;
	struct api_call api_call;
	const struct record *record;
	bool has_looked_up;
	char id[128];
};

void update_start(struct update_op *update);

void update_cancel(struct update_op *update);

#endif
