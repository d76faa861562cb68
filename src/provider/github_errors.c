/* Maps GitHub's errors and limits to an errno, by status, headers and words (apis.md, GitHub 4). */
#include <errno.h>
#include <string.h>

#include "provider_internal.h"

/* Milliseconds to wait where a limit does not say when it ends (doc/apis.md, GitHub 4). */
#define WAIT_MS 60000

/* A limit is a 403 or a 429. A 403 that is none says that the token lacks a right. */
enum limit { LIMIT_NONE, LIMIT_PRIMARY, LIMIT_SECONDARY };

static enum limit limit_of(const struct http_response *response)
{
	static const char *const secondary[] = {"secondary rate limit", "abuse detection", NULL};
	static const char *const primary[] = {"rate limit exceeded", NULL};
	const char *left = http_response_header(response, "X-RateLimit-Remaining");
	const char *words = buffer_cstr(&response->body);

	if (response->status != 403 && response->status != 429)
		return LIMIT_NONE;
	if (text_contains(words, secondary))
		return LIMIT_SECONDARY;
	if ((left && strcmp(left, "0") == 0) || text_contains(words, primary))
		return LIMIT_PRIMARY;
	return response->status == 429 || http_response_header(response, "Retry-After")
		       ? LIMIT_SECONDARY
		       : LIMIT_NONE;
}

void github_read_rate_limit(const struct http_response *response, struct rate_limit *limit)
{
	bool says_when = rate_limit_from_retry_after(response, limit);
	enum limit kind = limit_of(response);

	rate_limit_from_counters(response, limit, "X-RateLimit-Remaining", "X-RateLimit-Reset");
	if (kind == LIMIT_NONE)
		return;
	if (kind == LIMIT_PRIMARY && limit->resets_in_ms > limit->wait_ms)
		limit->wait_ms = limit->resets_in_ms;
	limit->wait_is_guess = limit->wait_ms == 0 && !says_when;
	if (limit->wait_is_guess)
		limit->wait_ms = WAIT_MS;
}

/* The store of these is in their path; that of a deletion may be there, and the secret not. */
static bool names_store(enum operation operation)
{
	return operation == OPERATION_LIST_SECRETS || operation == OPERATION_PUT_SECRET ||
	       operation == OPERATION_CLIENT_KEY || operation == OPERATION_FIND_STORE ||
	       operation == OPERATION_LIST_STORES || operation == OPERATION_CREATE_STORE;
}

/* Appends the texts in `errors`, which some 422 have. */
static void append_details(struct buffer *words, const json_t *errors)
{
	const json_t *item;

	for (size_t i = 0; (item = json_array_get(errors, i)); i++) {
		const char *text = json_is_string(item) ? json_string_value(item)
							: json_get_string(item, "message");

		if (text)
			buffer_printf(words, "; %s", text);
	}
}

static void refine(const struct response_parser *parser, const char *words)
{
	static const char *const sealing[] = {"encrypted", "key_id", NULL};
	struct failure *failure = parser->failure;
	enum operation operation = parser->args->operation;
	bool puts = operation == OPERATION_PUT_SECRET;

	if (failure->http_status == 404 && names_store(operation)) {
		failure->store_is_deleted = true;
		failure_set(failure, ENOENT, "%s: it is not there, or this token may not see it",
			    words);
	} else if (failure->http_status / 100 == 3 && parser->object) {
		failure_set(failure, EIO,
			    "%s: the repository was renamed, or has another owner: mount it by its "
			    "name of today",
			    words);
	} else if (failure->http_status == 409) {
		/* Such as a repository that is being moved: nothing was carried out. */
		failure->errnum = EIO;
		*parser->retry_hint = RETRY_LATER;
	} else if (puts && is_quota_error(words)) {
		failure->errnum = EDQUOT;
	} else if (puts && is_size_error(words)) {
		failure->errnum = EFBIG;
	} else if (puts && failure->http_status == 422) {
		failure->key_is_rejected = text_contains(words, sealing);
	}
}

int github_map_error(struct response_parser *parser)
{
	const struct http_response *response = parser->response;
	const char *message = json_get_string(parser->object, "message");
	struct failure *failure = parser->failure;
	struct buffer words = {0};

	response_map_status(parser);
	buffer_puts(&words, message ? message : http_status_info(response->status)->phrase);
	append_details(&words, json_object_get(parser->object, "errors"));
	if (message)
		failure_set_message(failure, buffer_cstr(&words), words.length);
	if (limit_of(response) != LIMIT_NONE) {
		failure->errnum = EAGAIN;
		*parser->retry_hint = RETRY_LATER;
	} else if (*parser->retry_hint == RETRY_NEVER) {
		refine(parser, buffer_cstr(&words));
	}
	buffer_finish(&words);
	return -failure->errnum;
}
