#pragma once

#include "sstorefs/catalog.h"

/*
 * One call of the service's API: the provider's translation joined with the network's call.
 * Embedded in its owner, zeroed. The owner fills in `args` (strings are borrowed until the end),
 * `on_entry`, `context` and `done`. At the end
 * `failure.errnum` is 0 or says why it failed, and `result` holds what came; the owner frees that
 * with api_call_free.
 */
struct api_call {
	struct op_args args;
	/* Called for each entry of the response but those deleted a moment ago; as in op_result.
	 * NULL: entries are only counted. */
	int (*on_entry)(void *context, const struct entry *entry);
	void *context;
	struct op_result result;
	struct locked_pool *pool; /* for a body that holds a value; else NULL */
	/* The value that is sent, as it was written: a message of the service that quotes it is
	 * dropped. NULL: no value is sent. */
	const uint8_t *redact_value;
	size_t redact_length;
	bool cache_failure; /* any process can cause this call: one that failed a moment ago fails
			       again without being sent (recent_failures.h) */
	const char *etag;   /* of what the owner has: the service sends it only if it has changed
			       (result.not_modified). NULL: it sends it */
	bool once;	    /* one attempt, whatever becomes of it */
	void (*done)(struct api_call *api_call);

	struct failure failure;
	enum retry_hint retry_hint;
	wall_time_ns response_date; /* of the Date header; TIME_UNKNOWN if there is none */
	struct http_call http;
	struct catalog *catalog;
	uint64_t started_at; /* CLOCK_BOOTTIME, milliseconds */
	struct task task;
	struct buffer cursor;	  /* args.cursor, where that is of a page before */
	char idempotency_key[40]; /* of a change, where the service has such keys */
};

/* Sends the request. `deadline` is in CLOCK_BOOTTIME milliseconds. `done` is called from the loop,
 * and reports failures to send, too. */
void api_call_start(struct catalog *catalog, struct api_call *api_call, uint64_t deadline);

/* True from api_call_start until just before `done`. */
bool api_call_runs(const struct api_call *api_call);

/* Ends the call without `done`, and frees its result. */
void api_call_cancel(struct api_call *api_call);

/* Frees the result and the cursor. */
void api_call_free(struct api_call *api_call);

/* Returns when the service carried the call out, by its own clock, which tells whole seconds. */
struct time_span api_call_span(const struct api_call *api_call);

/* Makes the arguments those of the page that follows by cursor, and frees the result. */
void api_call_follow_cursor(struct api_call *api_call);
