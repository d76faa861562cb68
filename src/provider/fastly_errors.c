/* Fastly's errors: from its families of bodies to an errno (doc/apis.md, Fastly 5). */
#include <errno.h>
#include <string.h>

#include "provider_internal.h"

/* The service's own words. Borrowed from the body. */
struct explanation {
	const char *title, *detail;
};

static const char *first_text(const json_t *object, const char *const *members)
{
	const char *text = NULL;

	for (; *members && !text; members++) {
		text = json_get_string(object, *members);
		if (text && !*text)
			text = NULL;
	}
	return text;
}

/* One object of any family: problem+json, an element of JSON:API's or the legacy `errors`, or the
 * legacy msg and detail. */
static bool explain_by(struct explanation *explanation, const json_t *object)
{
	explanation->title =
		first_text(object, PHRASES("title", "msg", "message", "error", "code"));
	explanation->detail = first_text(object, PHRASES("detail", "reason"));
	if (!explanation->detail) {
		explanation->detail = explanation->title;
		explanation->title = NULL;
	}
	return explanation->detail != NULL;
}

/* The Content-Type names the family, but no family's members mean something else in another, so it
 * is not needed to tell them apart. */
static void explain(struct explanation *explanation, const json_t *object)
{
	const json_t *errors = json_object_get(object, "errors");

	if (!explain_by(explanation, object) && !explain_by(explanation, errors))
		explain_by(explanation, json_array_get(errors, 0));
}

static bool says_duplicate(const char *detail)
{
	return text_starts_with(detail, PHRASES("duplicate")) ||
	       text_contains(detail, PHRASES("already exist"));
}

static bool says_missing(const char *detail)
{
	return text_contains(detail, PHRASES("not found", "not exist", "no such")) &&
	       !text_contains(detail, PHRASES("client_key", "client key"));
}

/* The intent of an operation, as far as it changes what an error means. */
enum {
	CREATES = 1 << 0,
	REPLACES = 1 << 1,
	DELETES = 1 << 2,
	DELETES_STORE = 1 << 3,
	READS = 1 << 4
};

static unsigned intent_of(const struct op_args *args)
{
	static const unsigned puts[] = {
		[PUT_CREATE] = CREATES,
		[PUT_REPLACE] = REPLACES,
		[PUT_UPSERT] = CREATES | REPLACES,
	};
	static const unsigned others[OPERATION_COUNT] = {
		[OPERATION_CREATE_STORE] = CREATES,
		[OPERATION_DELETE_SECRET] = DELETES,
		[OPERATION_DELETE_STORE] = DELETES | DELETES_STORE,
	};

	if (args->operation == OPERATION_PUT_SECRET)
		return puts[args->mode];
	return others[args->operation] ? others[args->operation] : READS;
}

/* Meanings of words where a status says little. Quotas have been answered in many ways
 * (doc/apis.md, Fastly 5), so they count with a 403 too. */
static const struct {
	bool (*says)(const char *detail);
	unsigned intents;
	int statuses[5];
	int errnum;
} wordings[] = {
	{says_duplicate, CREATES, {400, 409, 412, 422}, EEXIST},
	{says_missing, REPLACES | DELETES | READS, {400, 422}, ENOENT},
	{is_size_error, CREATES | REPLACES, {400, 422}, EFBIG},
	{is_quota_error, CREATES, {400, 402, 403, 409, 422}, EDQUOT},
};

static bool has_status(const int statuses[static 5], int status)
{
	for (size_t i = 0; i < 5; i++)
		if (statuses[i] == status)
			return true;
	return false;
}

/* Maps a conflict: a name that is taken, a store that is not empty, or another final error. */
static void refine_conflict(unsigned intent, struct failure *failure)
{
	if (intent == CREATES)
		failure->errnum = EEXIST;
	else if (intent & DELETES_STORE)
		failure->errnum = ENOTEMPTY;
	else
		failure->errnum = EINVAL;
}

static void refine(const struct op_args *args, const char *detail, struct failure *failure)
{
	unsigned intent = intent_of(args);

	for (size_t i = 0; i < sizeof(wordings) / sizeof(wordings[0]); i++)
		if (wordings[i].intents & intent &&
		    has_status(wordings[i].statuses, failure->http_status) &&
		    wordings[i].says(detail)) {
			failure->errnum = wordings[i].errnum;
			return;
		}
	/* 412 is how a sister API says that a name is taken (doc/apis.md, Fastly 5). */
	if (failure->http_status == 409 || (failure->http_status == 412 && intent == CREATES))
		refine_conflict(intent, failure);
}

int fastly_map_error(struct response_parser *parser)
{
	struct failure *failure = parser->failure;
	struct explanation explanation = {0};
	const char *plain = text_plain_body(parser->response);

	response_map_status(parser);
	explain(&explanation, parser->object);
	if (explanation.title && strcmp(explanation.title, explanation.detail) != 0)
		failure_set(failure, failure->errnum, "%s: %s", explanation.title,
			    explanation.detail);
	else if (explanation.detail)
		failure_set_message(failure, explanation.detail, strlen(explanation.detail));
	refine(parser->args, explanation.detail ? explanation.detail : plain ? plain : "", failure);
	/* Nothing says whether the value is wrong or the key is too old or used up. */
	failure->key_is_rejected = parser->args->operation == OPERATION_PUT_SECRET &&
				   failure->http_status == 400 && failure->errnum == EINVAL;
	return -failure->errnum;
}
