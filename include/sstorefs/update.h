#pragma once

#include "sstorefs/change_op.h"

/* Changes the attributes of a stored secret. Fails with ENOENT if there is none. */
struct update_op {
	struct change_op change;
	const char *scopes, *comment; /* NULL: unchanged; at least one is given; borrowed */
	void (*done)(struct update_op *update);

	const struct record *record; /* in done(): the secret as it is now; NULL: not known */
	bool has_looked_up;	     /* internal */
};

void update_start(struct update_op *update);

/* Ends it without `done`. If a request was sent, the name is invalidated. */
void update_cancel(struct update_op *update);
