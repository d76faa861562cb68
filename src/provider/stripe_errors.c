/* Stripe's errors: from its error object to an errno (doc/apis.md, Stripe 4). */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "provider_internal.h"

/* Borrowed from the body; "" for what is absent. */
struct explanation {
	const char *type, *code, *param, *message;
};

static const char *text_of(const json_t *error, const char *member)
{
	const char *text = json_get_string(error, member);

	return text ? text : "";
}

static bool equals(const char *text, const char *other)
{
	return strcmp(text, other) == 0;
}

static bool concerns_payload(const struct explanation *explanation)
{
	return equals(explanation->param, "payload") &&
	       text_contains(explanation->message,
			     PHRASES("at most", "too long", "too large", "maximum"));
}

/* No code for it is known (doc/apis.md): the words may tell. */
static bool is_quota_message(const struct explanation *explanation)
{
	return (*explanation->param == '\0' || strncmp(explanation->param, "scope", 5) == 0) &&
	       (text_contains(explanation->code,
			      PHRASES("limit_exceeded", "limit_reached", "too_many")) ||
		is_quota_error(explanation->message));
}

static bool is_missing_scope(const struct explanation *explanation)
{
	return equals(explanation->code, "resource_missing") &&
	       strncmp(explanation->param, "scope", 5) == 0;
}

static bool is_missing_name(const struct op_args *args, const struct explanation *explanation)
{
	bool names_one = args->operation == OPERATION_FIND_SECRET ||
			 args->operation == OPERATION_DELETE_SECRET;

	return (equals(explanation->code, "resource_missing") &&
		equals(explanation->param, "name")) ||
	       (names_one && text_starts_with(explanation->message, PHRASES("No such secret")));
}

/* The key of a repetition is still in use by what it repeats, an object is locked, or too much is
 * asked at once: all of it passes. */
static bool is_transient(const struct explanation *explanation)
{
	return equals(explanation->code, "idempotency_key_in_use") ||
	       equals(explanation->code, "lock_timeout") || equals(explanation->code, "rate_limit");
}

static void refine(const struct op_args *args, const struct explanation *explanation,
		   struct failure *failure)
{
	bool puts = args->operation == OPERATION_PUT_SECRET;

	if (is_missing_scope(explanation)) {
		failure->errnum = ENOENT;
		failure->store_is_deleted = true;
	} else if (is_missing_name(args, explanation)) {
		failure->errnum = ENOENT;
	} else if (puts && concerns_payload(explanation)) {
		failure->errnum = EFBIG;
	} else if (puts && is_quota_message(explanation)) {
		failure->errnum = EDQUOT;
	} else if (failure->errnum == EEXIST) {
		/* No create could find something: a conflict is another client's change at the same
		 * moment. */
		failure->errnum = EAGAIN;
	}
}

/* True if the header asks for a retry; it has the last word (doc/apis.md, Stripe 4). The
 * opposite is read by read_rate_limit. */
static bool is_retry_requested(const struct http_response *response)
{
	const char *again = http_response_header(response, "Stripe-Should-Retry");

	return again && strcasecmp(again, "true") == 0;
}

int stripe_map_error(struct response_parser *parser)
{
	struct failure *failure = parser->failure;
	enum retry_hint *retry_hint = parser->retry_hint;
	const json_t *error = json_object_get(parser->object, "error");
	const struct explanation explanation = {.type = text_of(error, "type"),
						.code = text_of(error, "code"),
						.param = text_of(error, "param"),
						.message = text_of(error, "message")};
	const char *words;

	response_map_status(parser);
	words = *explanation.message ? explanation.message : explanation.type;
	if (*words && *explanation.code)
		failure_set(failure, failure->errnum, "%s (%s)", words, explanation.code);
	else if (*words)
		failure_set_message(failure, words, strlen(words));
	if (*retry_hint == RETRY_NEVER)
		refine(parser->args, &explanation, failure);
	if (*retry_hint == RETRY_NEVER &&
	    (failure->errnum == EAGAIN || is_transient(&explanation) ||
	     is_retry_requested(parser->response))) {
		failure->errnum = EAGAIN;
		*retry_hint = RETRY_LATER;
	}
	return -failure->errnum;
}
