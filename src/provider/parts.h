#ifndef SSTOREFS_PROVIDER_PARTS_H
#define SSTOREFS_PROVIDER_PARTS_H

#include <jansson.h>

#include "sstorefs/provider.h"

/*
 * What providers are made of; nothing outside this room needs it.
 */

/* target.c: paths and queries. */

/* Appends `/` and one segment of a path, percent-encoded, dots too where the segment would otherwise mean "here" or "one up". */
void target_segment(struct http_request *request, const char *raw, size_t length);

/* Appends `NAME=VALUE`, percent-encoded, with the `?` or `&` that goes before it. */
void target_parameter(struct http_request *request, const char *name, const char *raw, size_t length);

/* body.c: JSON that may hold a value, written by hand. */

/* A body while it is counted or written. */
struct body {
	uint8_t *at; /* where the next byte goes; NULL: it is only counted */
	size_t length;
};
void body_text(struct body *body, const char *text);

/* Appends a JSON string with its quotes. `bytes` are UTF-8. */
void body_json(struct body *body, const void *bytes, size_t length);

/* Appends a JSON string with its quotes that holds `bytes` in base64. */
void body_base64(struct body *body, const uint8_t *bytes, size_t length);

/*
 * Calls `write` twice, to count and to write, so that `locked` is as large as it must be and never moved: escaping can grow a value
 * sixfold. Returns 0, -ENOMEM or -ENOBUFS.
 */
int body_write(struct locked *locked, void (*write)(struct body *body, const void *context),
	       const void *context);

/* json.c: reading answers. */

/* The answer's body if it is one JSON object, to be given back with json_decref; else NULL. */
json_t *answer_object(const struct http_answer *answer);

/* A member that is a string without NUL; NULL if it is anything else or absent. */
const char *member_text(const json_t *object, const char *member);

/* A member that is an RFC 3339 time; TIME_UNKNOWN if it is anything else or absent. */
wall_time member_time(const json_t *object, const char *member);

/*
 * Displays the name in `member`. Returns 0; 1 for an entry that can't be shown, counted in `result` as left out or malformed; -ENOMEM.
 * `object` need not be one.
 */
int member_name(const json_t *object, const char *member, struct buffer *displayed, struct result *result);

/* Decodes base64 in `member` into `bytes`. Returns how many bytes it stands for, `size` at most; 0 if it is no base64. */
size_t member_base64(const json_t *object, const char *member, uint8_t *bytes, size_t size);

/* status.c: what HTTP statuses mean. */
struct status_meaning {
	int status; /* below 10: a whole class of them */
	const char *phrase;
	int error; /* 0: success */
	enum remedy remedy;
};
const struct status_meaning *status_meaning(int status);

/* Begins reading an answer: status and request id into `failure`, nothing failed yet. */
void answer_begin(const struct http_answer *answer, const struct provider *provider, struct failure *failure,
		  enum remedy *remedy);

/* Sets what the status alone says: errno, remedy, and words for a service that gave none. Returns 0 for a success. */
int answer_status(const struct http_answer *answer, struct failure *failure, enum remedy *remedy);

/* A 2xx that can't be read: EIO, and somebody must look. Returns -EIO. */
int answer_nonsense(struct failure *failure, enum remedy *remedy, const char *what);

/* patience.c: Retry-After and rate-limit headers. */

/* Sets `wait_ms` from Retry-After: seconds, or a date counted from the answer's own. */
void patience_retry_after(const struct http_answer *answer, struct patience *patience);

/* Sets `remaining` and `resets_in_ms` from two headers: a count, and the reset in seconds since 1970, counted from the answer's own Date. */
void patience_budget(const struct http_answer *answer, struct patience *patience, const char *remaining,
		     const char *reset);

/* fastly_refusal.c: what Fastly means by an error. Returns a negative errno with everything set. */
int fastly_refusal(const struct ask *ask, const struct http_answer *answer, struct failure *failure,
		   enum remedy *remedy);

#endif
