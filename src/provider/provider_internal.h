#ifndef SSTOREFS_PROVIDER_PROVIDER_INTERNAL_H
#define SSTOREFS_PROVIDER_PROVIDER_INTERNAL_H

#include <jansson.h>

#include "sstorefs/provider.h"

/*
 * What providers are made of; nothing outside this room needs it.
 */

/* url.c: paths and queries. */

/* Appends `/` and one segment of a path, percent-encoded, dots too where the segment would otherwise mean "here" or "one up". */
void target_segment(struct http_request *request, const char *raw, size_t length);

/* Appends `NAME=VALUE`, percent-encoded, with the `?` or `&` that goes before it. */
void target_parameter(struct http_request *request, const char *name, const char *raw, size_t length);

/* 0, or -ENOMEM if memory ran out while target and headers were written. */
int request_end(const struct http_request *request);

/* auth_header.c: appends one header line, `BEGINNING` and `text`, with its NUL. Returns 0, -ENOBUFS, -ENOMEM, or -EINVAL for a text that no
 * header can hold. */
int credentials_line(struct locked *lines, const char *beginning, const char *text);

/* request_body.c: JSON and forms that may hold a value, written by hand. */

/* A body while it is counted or written. */
struct body {
	uint8_t *at; /* where the next byte goes; NULL: it is only counted */
	size_t length;
};
void body_text(struct body *body, const char *text);

/* Appends a JSON string with its quotes. `bytes` are UTF-8. */
void body_json(struct body *body, const void *bytes, size_t length);

/* Appends `NAME=VALUE` of a form, percent-encoded, with the `&` that goes before it. */
void body_parameter(struct body *body, const char *name, const void *bytes, size_t length);

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

/* A member that is a time, as a text (time_parse_iso8601) or in seconds since 1970; TIME_UNKNOWN if it is anything else or absent. */
wall_time member_time(const json_t *object, const char *member);

/* A member that is a number, cut to a whole one; `otherwise` if it is anything else or absent. */
int64_t member_integer(const json_t *object, const char *member, int64_t otherwise);

/* A member that is a time in seconds since 1970; TIME_UNKNOWN if it is anything else or absent, the last one there is if it is later. */
wall_time member_seconds(const json_t *object, const char *member);

/*
 * Displays the name in `member`. Returns 0; 1 for an entry that can't be shown, counted in `result` as left out or malformed; -ENOMEM.
 * `object` need not be one.
 */
int member_name(const json_t *object, const char *member, struct buffer *displayed, struct result *result);

/* Decodes base64 in `member` into `bytes`. Returns how many bytes it stands for, `size` at most; 0 if it is no base64. */
size_t member_base64(const json_t *object, const char *member, uint8_t *bytes, size_t size);

/* http_status.c: what HTTP statuses mean. */
struct status_meaning {
	int status; /* below 10: a whole class of them */
	const char *phrase;
	int error; /* 0: success */
	enum remedy remedy;
};
const struct status_meaning *status_meaning(int status);

/* Begins reading an answer, or forgets what was read of one that grants all without saying so: status and request id into `failure`, nothing failed.
 * Returns 0. */
int answer_begin(const struct http_answer *answer, const struct provider *provider, struct failure *failure,
		 enum remedy *remedy);

/* Sets what the status alone says: errno, remedy, and words for a service that gave none. Returns 0 for a success. */
int answer_status(const struct http_answer *answer, struct failure *failure, enum remedy *remedy);

/* A 2xx that can't be read: EIO, and somebody must look. Returns -EIO. */
int answer_nonsense(struct failure *failure, enum remedy *remedy, const char *what);

/* Whether the body is nothing but blanks. */
bool answer_is_blank(const struct http_answer *answer);

/* Whether it is a success that by its status has nothing more to say: enough where something was changed. */
bool answer_has_no_content(const struct http_answer *answer);

/* entry_parser.c: entries of answers. */

/* One answer while it is read. Borrowed all of it. */
struct reading {
	const struct ask *ask;
	struct result *result;
	struct failure *failure;
	enum remedy *remedy;
	/* What the service tells beside the name. Returns false for an entry that is to be passed over. `room` is for texts that must be put together. */
	bool (*fields)(struct reading *reading, const json_t *item, struct entry *entry, struct buffer *room);
	bool stores;	/* it is about stores, not secrets */
	bool one_name;	/* entries of another name than the one that was asked for are passed over */
	unsigned taken; /* entries that were not passed over */
};

/* Takes one entry, counted and passed over if it is none. Returns 0, or a negative errno with the failure set. */
int reading_take(struct reading *reading, const json_t *item);

/* Takes the one entry that was asked for, created or changed; it is nonsense to answer with another. */
int reading_take_only(struct reading *reading, const json_t *item);

/* error_text.c: what services write for people, where it says more than the status. */

/* The phrases are NULL-terminated; upper and lower case are the same. */
bool words_have(const char *words, const char *const *phrases);
bool words_begin(const char *words, const char *const *phrases);

/* Whether they speak of a value that is too large, and of too many secrets or stores. */
bool words_tell_size(const char *words);
bool words_tell_quota(const char *words);

/* The whole body, where it is plain text. Borrowed; NULL: it is none. */
const char *words_plain(const struct http_answer *answer);

/* rate_limit.c: Retry-After and rate-limit headers. */

/* Sets `wait_ms` from Retry-After: seconds, or a date counted from the answer's own. */
void patience_retry_after(const struct http_answer *answer, struct patience *patience);

/* Sets `remaining` and `resets_in_ms` from two headers: a count, and the reset in seconds since 1970, counted from the answer's own Date. */
void patience_budget(const struct http_answer *answer, struct patience *patience, const char *remaining,
		     const char *reset);

/* Sets the same from one header with the lowest of its limits (`"name";r=LEFT;t=SECONDS`, between commas). */
void patience_ratelimit(const struct http_answer *answer, struct patience *patience, const char *header);

/* cloudflare_requests.c: writes the body of a request of Cloudflare's that has one. 0, -ENOMEM, -ENOBUFS, -EINVAL. */
int cloudflare_body(const struct ask *ask, struct http_request *request);

/* SERVICE_refusal.c: what a service means by an error. Return a negative errno with everything set. */
int fastly_refusal(const struct ask *ask, const struct http_answer *answer, struct failure *failure,
		   enum remedy *remedy);
int cloudflare_refusal(const struct ask *ask, const struct http_answer *answer, struct failure *failure,
		       enum remedy *remedy);
int stripe_refusal(const struct ask *ask, const struct http_answer *answer, struct failure *failure,
		   enum remedy *remedy);

#endif
