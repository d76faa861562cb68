/* What providers are made of. */
#ifndef SSTOREFS_PROVIDER_PROVIDER_INTERNAL_H
#define SSTOREFS_PROVIDER_PROVIDER_INTERNAL_H

#include <jansson.h>

#include "sstorefs/provider.h"

/*
 * What providers are made of; nothing outside this room needs it.
 */

/* url.c: paths and queries. */

/* Appends `/` and one segment of a path, percent-encoded, dots too where the segment would
 * otherwise mean "here" or "one up". */
void url_append_segment(struct http_request *request, const char *raw, size_t length);

/* Appends `NAME=VALUE`, percent-encoded, with the `?` or `&` that goes before it. */
void url_append_param(struct http_request *request, const char *name, const char *raw,
		      size_t length);

/* 0, or -ENOMEM if memory ran out while target and headers were written. */
int request_check(const struct http_request *request);

/* auth_header.c: appends one header line, `BEGINNING` and `text`, with its NUL. Returns 0,
 * -ENOBUFS, -ENOMEM, or -EINVAL for a text that no header can hold. */
int auth_header_append(struct locked *lines, const char *beginning, const char *text);

/* request_body.c: JSON and forms that may hold a value, written by hand. */

/* A body while it is counted or written. */
struct body_writer {
	uint8_t *at; /* where the next byte goes; NULL: it is only counted */
	size_t length;
};
void body_puts(struct body_writer *body, const char *text);

/* Appends a JSON string with its quotes. `bytes` are UTF-8. */
void body_json_string(struct body_writer *body, const void *bytes, size_t length);

/* Appends `NAME=VALUE` of a form, percent-encoded, with the `&` that goes before it. */
void body_param(struct body_writer *body, const char *name, const void *bytes, size_t length);

/* Appends a JSON string with its quotes that holds `bytes` in base64. */
void body_base64(struct body_writer *body, const uint8_t *bytes, size_t length);

/*
 * Calls `write` twice, to count and to write, so that `locked` is as large as it must be and never
 * moved: escaping can grow a value sixfold. Returns 0, -ENOMEM or -ENOBUFS.
 */
int body_build(struct locked *locked, void (*write)(struct body_writer *body, const void *context),
	       const void *context);

/* json.c: reading answers. */

/* The answer's body if it is one JSON object, to be given back with json_decref; else NULL. */
json_t *response_json(const struct http_response *response);

/* A member that is a string without NUL; NULL if it is anything else or absent. */
const char *json_get_string(const json_t *object, const char *member);

/* A member that is a time, as a text (time_parse_iso8601) or in seconds since 1970; TIME_UNKNOWN if
 * it is anything else or absent. */
wall_time_ns json_get_time(const json_t *object, const char *member);

/* A member that is a number, cut to a whole one; `otherwise` if it is anything else or absent. */
int64_t json_get_int(const json_t *object, const char *member, int64_t otherwise);

/* A member that is a time in seconds since 1970; TIME_UNKNOWN if it is anything else or absent, the
 * last one there is if it is later. */
wall_time_ns json_get_epoch(const json_t *object, const char *member);

/*
 * Displays the name in `member`. Returns 0; 1 for an entry that can't be shown, counted in `result`
 * as left out or malformed; -ENOMEM. `object` need not be one.
 */
int json_get_name(const json_t *object, const char *member, struct buffer *displayed,
		  struct op_result *result);

/* Decodes base64 in `member` into `bytes`. Returns how many bytes it stands for, `size` at most; 0
 * if it is no base64. */
size_t json_get_base64(const json_t *object, const char *member, uint8_t *bytes, size_t size);

/* http_status.c: what HTTP statuses mean. */
struct http_status_info {
	int status; /* below 10: a whole class of them */
	const char *phrase;
	int errnum; /* 0: success */
	enum retry_hint retry_hint;
};
const struct http_status_info *http_status_info(int status);

/* Begins reading an answer, or forgets what was read of one that grants all without saying so:
 * status and request id into `failure`, nothing failed. Returns 0. */
int response_init(const struct http_response *response, const struct provider *provider,
		  struct failure *failure, enum retry_hint *retry_hint);

/* Sets what the status alone says: errno, remedy, and words for a service that gave none. Returns 0
 * for a success. */
int response_map_status(const struct http_response *response, struct failure *failure,
			enum retry_hint *retry_hint);

/* A 2xx that can't be read: EIO, and somebody must look. Returns -EIO. */
int response_malformed(struct failure *failure, enum retry_hint *retry_hint, const char *what);

/* Whether the body is nothing but blanks. */
bool response_is_blank(const struct http_response *response);

/* Whether it is a success that by its status has nothing more to say: enough where something was
 * changed. */
bool response_has_no_content(const struct http_response *response);

/* entry_parser.c: entries of answers. */

/* One answer while it is read. Borrowed all of it. */
struct entry_parser {
	const struct op_args *args;
	struct op_result *result;
	struct failure *failure;
	enum retry_hint *retry_hint;
	/* What the service tells beside the name. Returns false for an entry that is to be passed
	 * over. `room` is for texts that must be put together. */
	bool (*parse_fields)(struct entry_parser *parser, const json_t *item, struct entry *entry,
			     struct buffer *room);
	bool stores;   /* it is about stores, not secrets */
	bool one_name; /* entries of another name than the one that was asked for are passed over */
	unsigned matched; /* entries that were not passed over */
};

/* Takes one entry, counted and passed over if it is none. Returns 0, or a negative errno with the
 * failure set. */
int parse_entry(struct entry_parser *parser, const json_t *item);

/* Takes the one entry that was asked for, created or changed; it is nonsense to answer with
 * another. */
int parse_single_entry(struct entry_parser *parser, const json_t *item);

/* error_text.c: what services write for people, where it says more than the status. */

/* The phrases are NULL-terminated; upper and lower case are the same. */
bool text_contains(const char *words, const char *const *phrases);
bool text_starts_with(const char *words, const char *const *phrases);

/* Whether they speak of a value that is too large, and of too many secrets or stores. */
bool is_size_error(const char *words);
bool is_quota_error(const char *words);

/* The whole body, where it is plain text. Borrowed; NULL: it is none. */
const char *text_plain_body(const struct http_response *response);

/* rate_limit.c: Retry-After and rate-limit headers. */

/* Sets `wait_ms` from Retry-After: seconds, or a date counted from the answer's own. */
void rate_limit_from_retry_after(const struct http_response *response, struct rate_limit *limit);

/* Sets `remaining` and `resets_in_ms` from two headers: a count, and the reset in seconds since
 * 1970, counted from the answer's own Date. */
void rate_limit_from_counters(const struct http_response *response, struct rate_limit *limit,
			      const char *remaining, const char *reset);

/* Sets the same from one header with the lowest of its limits (`"name";r=LEFT;t=SECONDS`, between
 * commas). */
void rate_limit_from_ratelimit(const struct http_response *response, struct rate_limit *limit,
			       const char *header);

/* cloudflare_requests.c: writes the body of a request of Cloudflare's that has one. 0, -ENOMEM,
 * -ENOBUFS, -EINVAL. */
int cloudflare_build_body(const struct op_args *args, struct http_request *request);

/* SERVICE_refusal.c: what a service means by an error. Return a negative errno with everything set.
 */
int fastly_map_error(const struct op_args *args, const struct http_response *response,
		     struct failure *failure, enum retry_hint *retry_hint);
int cloudflare_map_error(const struct op_args *args, const struct http_response *response,
			 struct failure *failure, enum retry_hint *retry_hint);
int stripe_map_error(const struct op_args *args, const struct http_response *response,
		     struct failure *failure, enum retry_hint *retry_hint);

#endif
