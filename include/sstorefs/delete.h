#pragma once

#include "sstorefs/change_op.h"

/*
 * Deletes a secret. Fails with ENOENT only if there was none and no earlier attempt of this
 * operation is indeterminate.
 */
struct delete_op {
	struct change_op change;
	void (*done)(struct delete_op *deletion);

	bool has_looked_up; /* internal */
};

void delete_start(struct delete_op *deletion);

/* Ends it without `done`. If a request was sent, the name is invalidated. */
void delete_cancel(struct delete_op *deletion);
