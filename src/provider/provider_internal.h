/* The parts that all providers share. */
#pragma once

#include <jansson.h>

#include "sstorefs/provider.h"

/* Shared by the files of this room only. */

/* url.c: paths and queries. */

/* Appends `/` and one segment of a path, percent-encoded, dots too where the segment would
 * otherwise mean "here" or "one up". */
void url_append_segment(struct http_request *request, const char *raw, size_t length);

/* Appends `NAME=VALUE`, percent-encoded, with the `?` or `&` that goes before it. */
void url_append_param(struct http_request *request, const char *name, const char *raw,
		      size_t length);
void url_append_text(struct http_request *request, const char *name, const char *text);

void url_append_number(struct http_request *request, const char *name, unsigned number);

/* The same for the name that is displayed as `displayed`; url_append_name appends it as a segment.
 * Both return 0, -EINVAL or -ENOMEM. */
int url_append_name_param(struct http_request *request, const char *name, const char *displayed);
int url_append_name(struct http_request *request, const char *displayed);

/* The arguments of a body, and the name in args->name, decoded. */
struct named_body {
	const struct op_args *args;
	struct buffer name;
};

#define TYPE_JSON "application/json"

/* Writes a request of this form for a response in JSON. Returns 0, -ENOMEM, -ENOBUFS, or -EINVAL
 * where an id is missing or the name cannot be decoded. */
int request_build(const struct service_operation *operation, const struct op_args *args,
		  struct http_request *request);

/* The same without the header for JSON; the path goes on where the target has come to. */
int request_append(const struct service_operation *operation, const struct op_args *args,
		   struct http_request *request);

/* auth_header.c: appends one header line, `BEGINNING` and `text`, with its NUL. Returns 0,
 * -ENOBUFS, -ENOMEM, or -EINVAL for a text that no header can hold. */
int auth_header_append(struct locked *lines, const char *beginning, const char *text);

/* struct provider's authorize, where the token is a bearer's. */
int authorize_bearer(const struct credentials *credentials, struct locked *lines);

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
 * Gives the request the body that `write` writes: once to count and once to write, so that it is as
 * large as it must be and never moved: escaping can grow a value sixfold. Returns 0, -EINVAL,
 * -ENOMEM or -ENOBUFS.
 */
int request_body(struct http_request *request, const struct op_args *args,
		 void (*write)(struct body_writer *body, const struct named_body *from));

/* json.c: reading responses. */

/* The response's body if it is one JSON object, to be given back with json_decref; else NULL. */
json_t *response_json(const struct http_response *response);

/* A member that is a string without NUL; NULL if it is anything else or absent. */
const char *json_get_string(const json_t *object, const char *member);

/* A member that is a time, as a text (time_parse_iso8601) or in seconds since 1970; TIME_UNKNOWN if
 * it is anything else, earlier, or absent. */
wall_time_ns json_get_time(const json_t *object, const char *member);

/* A member that is a number, cut to a whole one, or a text of digits; `otherwise` if it is anything
 * else or absent. */
int64_t json_get_int(const json_t *object, const char *member, int64_t otherwise);

/* A member that counts something; -1 if it is anything else, negative or absent. */
int64_t json_get_count(const json_t *object, const char *member);

/* A member that is a time in seconds since 1970; TIME_UNKNOWN if it is anything else or absent, the
 * last one there is if it is later. */
wall_time_ns json_get_epoch(const json_t *object, const char *member);

/*
 * Displays the name in `member`. Returns 0; 1 for an entry that can't be shown, counted in `result`
 * as left out or malformed; -ENOMEM. `object` need not be one.
 */
int json_get_name(const json_t *object, const char *member, struct buffer *displayed,
		  struct op_result *result);

/* Decodes base64 in `member` into `bytes`. Returns how many bytes it encodes, `size` at most; 0
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

struct response_parser;

/* Begins to read a response, or forgets what was read of one that grants all without saying so:
 * status and request id into the failure, nothing failed. Returns 0. */
int response_reset(struct response_parser *parser);

/* Sets errno, retry hint and message by the status, or a body that is plain text. Returns 0 for a
 * success, else a negative errno. */
int response_map_status(struct response_parser *parser);

/* True for a status that means success. */
bool response_is_success(const struct http_response *response);

/* True if the body is nothing but blanks, or JSON's null. */
bool response_is_blank(const struct http_response *response);

/* True for a success that by its status has no content: enough where something was changed. */
bool response_has_no_content(const struct http_response *response);

/* True if what is named and described is a store. */
static inline bool operation_is_about_stores(enum operation operation)
{
	return operation == OPERATION_LIST_STORES || operation == OPERATION_FIND_STORE ||
	       operation == OPERATION_CREATE_STORE;
}

/* response_parser.c: what all services' responses have in common. */

/* One response while it is read. Borrowed all of it. */
struct response_parser {
	const struct provider *provider;
	const struct op_args *args;
	const struct http_response *response;
	struct op_result *result;
	struct failure *failure;
	enum retry_hint *retry_hint;
	const json_t *object; /* the body; NULL if it is no JSON object */
	bool stores;	      /* it is about stores, not secrets */
	bool one_name;	      /* entries of another name than args->name are skipped */
	unsigned matched;     /* entries that were not skipped */
};

/* struct provider's parse_response, for all services. */
int response_parse(const struct provider *provider, const struct op_args *args,
		   const struct http_response *response, struct op_result *result,
		   struct failure *failure, enum retry_hint *retry_hint);

/* Keeps a text of the response that is neither result nor failure. */
void parse_notice(struct response_parser *parser, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Sets EIO for a 2xx that makes no sense; its outcome must be checked. Returns -EIO. */
int parse_malformed(struct response_parser *parser, const char *what);

/* Keeps where the next page begins. Returns 0, or -EIO where there is no memory for it. */
int parse_cursor(struct response_parser *parser, const char *cursor);

/* Takes the entries of a list, each by parse_entry. Returns 0 or a negative errno. */
int parse_entries(struct response_parser *parser, const json_t *list);

/* Takes one entry; one that is none is counted and skipped. Returns 0, or a negative errno with the
 * failure set. */
int parse_entry(struct response_parser *parser, const json_t *item);

/* Takes the one entry that was asked for, created or changed; another one is an error, but for a
 * new store, whose name may come in another spelling. */
int parse_single_entry(struct response_parser *parser, const json_t *item);

/* Operations whose response is one entry, and deletions whose response has nothing to read. */
int parse_entry_response(struct response_parser *parser, int failed);
int parse_deletion_response(struct response_parser *parser, int failed);

/* error_text.c: what services write for people, where it says more than the status. */

/* The phrases are NULL-terminated; upper and lower case are the same. */
#define PHRASES(...) ((const char *const[]){__VA_ARGS__, NULL})
bool text_contains(const char *words, const char *const *phrases);
bool text_starts_with(const char *words, const char *const *phrases);

/* True if they speak of a value that is too large, and of too many secrets or stores. */
bool is_size_error(const char *words);
bool is_quota_error(const char *words);

/* The whole body, where it is plain text. Borrowed; NULL: it is none. */
const char *text_plain_body(const struct http_response *response);

/* rate_limit.c: Retry-After and rate-limit headers. */

/* Returns the number that `text` spells in digits alone, `max` where it is larger; -1 if it is
 * anything else, or NULL. */
int64_t count_from_text(const char *text, int64_t max);

/* Begins `limit` with what Retry-After says: seconds, or a date counted from the response's own.
 * Returns false where it says nothing that can be used. */
bool rate_limit_from_retry_after(const struct http_response *response, struct rate_limit *limit);

/* Sets `remaining` and `resets_in_ms` from two headers: a count, and the reset in seconds since
 * 1970, counted from the response's own Date. */
void rate_limit_from_counters(const struct http_response *response, struct rate_limit *limit,
			      const char *remaining, const char *reset);

/* Sets the same from one header with the lowest of its limits (`"name";r=LEFT;t=SECONDS`, between
 * commas or on several lines). */
void rate_limit_from_ratelimit(const struct http_response *response, struct rate_limit *limit,
			       const char *header);

/* SERVICE_errors.c: struct provider's map_error. */
int fastly_map_error(struct response_parser *parser);
int cloudflare_map_error(struct response_parser *parser);
void cloudflare_read_notices(struct response_parser *parser);
int stripe_map_error(struct response_parser *parser);
int github_map_error(struct response_parser *parser);

/* github_errors.c: struct provider's read_rate_limit. */
void github_read_rate_limit(const struct http_response *response, struct rate_limit *limit);
