/* Cloudflare's errors: from the words of a message to an errno (doc/apis.md, Cloudflare 5). */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "provider_internal.h"

/* The slug identifies, perhaps with `: detail` behind it; the number beside it is only a class of
 * errors. */
static const struct {
	const char *slug;
	int errnum;
} slugs[] = {
	{"secret_not_found", ENOENT},
	{"store_not_found", ENOENT},
	{"Could not route to", ENOENT},
	{"secret_name_already_exists", EEXIST},
	{"store_name_already_exists", EEXIST},
	{"store_not_empty", ENOTEMPTY},
	{"secret_value_too_long", EFBIG},
	{"maximum_stores_exceeded", EDQUOT},
	{"maximum_secrets_exceeded", EDQUOT},
	/* These two are no slugs; the status beside them is 400, 401 or 403. A wrong permission
	   says the same as a wrong token. */
	{"Authentication error", EACCES},
	{"Authentication failed", EACCES},
};

/* The first error: an element of `errors`, or the whole body in a form that is seen at times.
 * Borrowed from the body; NULL: it explains nothing. */
static const char *explain(const json_t *object, int64_t *code)
{
	const json_t *error = json_array_get(json_object_get(object, "errors"), 0);
	const char *message = json_get_string(error, "message");

	*code = json_get_int(error, "code", 0);
	if (!message && json_is_string(error))
		message = json_string_value(error);
	if (!message) {
		message = json_get_string(object, "error");
		*code = json_get_int(object, "code", 0);
	}
	return message && *message ? message : NULL;
}

/* Errors behind the first one, which is the failure, and messages, which come with successes too:
 * objects or plain texts. */
void cloudflare_read_notices(struct response_parser *parser)
{
	const char *const *member = PHRASES("errors", "messages");
	size_t i = json_is_true(json_object_get(parser->object, "success")) ? 0 : 1;
	const json_t *said;

	for (; *member; member++, i = 0)
		for (; (said = json_array_get(json_object_get(parser->object, *member), i)); i++) {
			const char *text = json_is_string(said) ? json_string_value(said)
								: json_get_string(said, "message");
			int64_t code = json_get_int(said, "code", 0);

			if (text && *text && code > 0)
				parse_notice(parser, "%s (%lld)", text, (long long)code);
			else if (text && *text)
				parse_notice(parser, "%s", text);
		}
}

static bool has_slug(const char *message, const char *slug)
{
	size_t length = strlen(slug);

	return strncasecmp(message, slug, length) == 0 &&
	       (message[length] == '\0' || strchr(": ,.(", message[length]));
}

/* The slug for too many secrets is not known (doc/apis.md). */
static bool is_quota_message(const char *message)
{
	return !text_contains(message, PHRASES("length", "size", "rate")) &&
	       (text_contains(message, PHRASES("quota")) ||
		(text_contains(message, PHRASES("maximum")) &&
		 text_contains(message, PHRASES("exceeded", "reached"))));
}

/* A conflict without a slug that we know: names that are taken, and stores that aren't empty. It
 * never passes by itself. */
static int error_of_conflict(const struct op_args *args)
{
	static const int errors[OPERATION_COUNT] = {
		[OPERATION_CREATE_STORE] = EEXIST,
		[OPERATION_PUT_SECRET] = EEXIST,
		[OPERATION_DUPLICATE_SECRET] = EEXIST,
		[OPERATION_DELETE_STORE] = ENOTEMPTY,
	};

	if (args->operation == OPERATION_PUT_SECRET && args->mode == PUT_REPLACE)
		return EINVAL;
	return errors[args->operation] ? errors[args->operation] : EINVAL;
}

static void refine(const struct op_args *args, const char *message, struct failure *failure)
{
	for (size_t i = 0; i < sizeof(slugs) / sizeof(slugs[0]); i++)
		if (has_slug(message, slugs[i].slug)) {
			failure->errnum = slugs[i].errnum;
			failure->store_is_deleted = strcmp(slugs[i].slug, "store_not_found") == 0;
			return;
		}
	if (is_quota_message(message))
		failure->errnum = EDQUOT;
	else if (failure->http_status == 409 ||
		 text_contains(message, PHRASES("already exist", "already_exist")))
		failure->errnum = error_of_conflict(args);
}

int cloudflare_map_error(struct response_parser *parser)
{
	struct failure *failure = parser->failure;
	const char *mitigated = http_response_header(parser->response, "cf-mitigated");
	int64_t code;
	const char *message = explain(parser->object, &code);

	if (response_map_status(parser) == 0)
		failure_set(failure, EINVAL, "the service says that it failed, and not why");
	if (message && code > 0)
		failure_set(failure, failure->errnum, "%s (%lld)", message, (long long)code);
	else if (message)
		failure_set_message(failure, message, strlen(message));
	else if (mitigated)
		failure_set(failure, failure->errnum,
			    "the service's firewall stopped the request (%s)", mitigated);
	/* A retry hint stays, whatever the words are. */
	if (*parser->retry_hint == RETRY_NEVER)
		refine(parser->args, message ? message : "", failure);
	return -failure->errnum;
}
