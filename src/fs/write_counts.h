#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sstorefs/failure.h"
#include "sstorefs/metrics.h"

/*
 * Counters of what became of values, for the metrics.
 */

/* The result of a write of a value. An open that is refused counts as one. */
enum write_result {
	WRITE_STORED,
	WRITE_REFUSED_AT_OPEN,
	WRITE_REFUSED, /* by a check or by the service: the same value will be refused again */
	WRITE_FAILED,  /* the service could not be reached or failed: nothing is stored */
	WRITE_UNKNOWN, /* whether it is stored is not known */
	WRITE_RESULT_COUNT
};

/* The reason why a value was wiped that was never sent. */
enum discard_reason {
	DISCARD_KILLED,	     /* its writer was killed or failed */
	DISCARD_UNOBSERVED,  /* whether its writer had closed it could not be seen */
	DISCARD_NOT_RENAMED, /* it had a temporary name for too long */
	DISCARD_UNMOUNTED,   /* it was not complete at the end of the mount */
	DISCARD_REASON_COUNT
};

struct write_counts {
	uint64_t results[WRITE_RESULT_COUNT], discarded[DISCARD_REASON_COUNT];
	struct histogram durations; /* from the publication of a value to its outcome */
};

/* Counts a write that ended with `failure` (errnum 0: it is stored). */
void count_write(struct write_counts *counts, const struct failure *failure, bool unknown);

/* Counts an open that ended with `error`, 0 or an errno, if it was for writing and was refused. */
void count_open(struct write_counts *counts, int flags, int error);

/* The values of the labels `result` and `reason`. */
extern const char *const write_result_names[WRITE_RESULT_COUNT];
extern const char *const discard_reason_names[DISCARD_REASON_COUNT];
