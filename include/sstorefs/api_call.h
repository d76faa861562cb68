#ifndef SSTOREFS_API_CALL_H
#define SSTOREFS_API_CALL_H

#include "sstorefs/catalog.h"

/*
 * One thing asked of the service: the provider's translation and the network's call joined.
 * Embedded in its owner, zeroed. The owner fills in `ask` (borrowed strings live until the end),
 * `result.take` and `result.context`, and `done`; at the end `failure.error` is 0 or says why not,
 * and `result` holds what came. The result is freed by api_call_free, which the owner calls when it
 * has read it.
 */
struct api_call {
	struct op_args args;
	struct op_result result;
	struct locked_pool *pool; /* for a body that bears a value; else NULL */
	/* The value that is sent, as it was written: where the service's words quote it, they are
	 * dropped before anybody hears of them. NULL: none is. */
	const uint8_t *redact_value;
	size_t redact_length;
	bool is_anybodys; /* any process can have it asked: one that failed a moment ago is answered
			     from memory (refusals.h) */
	void (*done)(struct api_call *api_call);

	struct failure failure;
	enum retry_hint retry_hint;
	wall_time_ns response_date; /* the answer's own Date; TIME_UNKNOWN if none */
	struct http_call http;
	struct catalog *catalog;
	uint64_t started_at;
	struct task task;
	char idempotency_key[40]; /* of a change, where the service has such keys */
};

/* Asks. `deadline` in CLOCK_BOOTTIME milliseconds. Failures to ask are told through `done` too. */
void api_call_start(struct catalog *catalog, struct api_call *api_call, uint64_t deadline);
void api_call_cancel(struct api_call *api_call);
void api_call_free(struct api_call *api_call);

#endif
