/* What Fastly means when it refuses: its error bodies (API-FACTS 1.5) to errno and words; what it grants is fastly.c's. */
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
		text = member_text(object, *members);
		if (text && !*text)
			text = NULL;
	}
	return text;
}

/* One object of any family: problem+json, an element of JSON:API's or the legacy `errors`, or the legacy msg and detail. */
static bool explain_by(struct explanation *explanation, const json_t *object)
{
	static const char *const titles[] = {"title", "msg", "message", "error", "code", NULL};
	static const char *const details[] = {"detail", "reason", NULL};

	explanation->title = first_text(object, titles);
	explanation->detail = first_text(object, details);
	if (!explanation->detail) {
		explanation->detail = explanation->title;
		explanation->title = NULL;
	}
	return explanation->detail != NULL;
}

/* The Content-Type names the family, but no family's members mean something else in another, so it is not needed to tell them apart. */
static bool explain(struct explanation *explanation, const json_t *object)
{
	const json_t *errors = json_object_get(object, "errors");

	return explain_by(explanation, object) || explain_by(explanation, errors) ||
	       explain_by(explanation, json_array_get(errors, 0));
}

static void quote_explanation(const struct explanation *explanation, struct failure *failure)
{
	struct buffer words = {0};

	if (explanation->title && strcmp(explanation->title, explanation->detail) != 0) {
		buffer_string(&words, explanation->title);
		buffer_string(&words, ": ");
	}
	buffer_string(&words, explanation->detail);
	failure_quote(failure, buffer_text(&words), words.length);
	buffer_finish(&words);
}

static bool says_duplicate(const char *detail)
{
	static const char *const phrases[] = {"duplicate", NULL}, *const others[] = {"already exist", NULL};

	return words_begin(detail, phrases) || words_have(detail, others);
}

static bool says_missing(const char *detail)
{
	static const char *const phrases[] = {"not found", "not exist", "no such", NULL};
	static const char *const others[] = {"client_key", "client key", NULL};

	return words_have(detail, phrases) && !words_have(detail, others);
}

/* What an operation wants, as far as it matters to what a refusal means. */
enum { CREATES = 1 << 0, REPLACES = 1 << 1, DELETES = 1 << 2, DELETES_STORE = 1 << 3, READS = 1 << 4 };

static unsigned wish_of(const struct ask *ask)
{
	static const unsigned puts[] = {
		[PUT_CREATE] = CREATES,
		[PUT_REPLACE] = REPLACES,
		[PUT_EITHER] = CREATES | REPLACES,
	};
	static const unsigned others[OPERATION_COUNT] = {
		[OPERATION_CREATE_STORE] = CREATES,
		[OPERATION_DELETE_SECRET] = DELETES,
		[OPERATION_DELETE_STORE] = DELETES | DELETES_STORE,
	};

	if (ask->operation == OPERATION_PUT_SECRET)
		return puts[ask->mode];
	return others[ask->operation] ? others[ask->operation] : READS;
}

/* What words mean where a status says little. Quotas have been answered in many ways (API-FACTS 1.5), so they count with a 403 too. */
static const struct {
	bool (*says)(const char *detail);
	unsigned wishes;
	int statuses[5];
	int error;
} wordings[] = {
	{says_duplicate, CREATES, {400, 409, 412, 422}, EEXIST},
	{says_missing, REPLACES | DELETES | READS, {400, 422}, ENOENT},
	{words_tell_size, CREATES | REPLACES, {400, 422}, EFBIG},
	{words_tell_quota, CREATES, {400, 402, 403, 409, 422}, EDQUOT},
};

static bool has_status(const int statuses[static 5], int status)
{
	size_t i;

	for (i = 0; i < 5; i++)
		if (statuses[i] == status)
			return true;
	return false;
}

/* A conflict is a name that is taken, a store that is not empty, or a refusal like others: final, as the service means it. */
static void refine_conflict(unsigned wish, struct failure *failure)
{
	if (wish == CREATES)
		failure->error = EEXIST;
	else if (wish & DELETES_STORE)
		failure->error = ENOTEMPTY;
	else
		failure->error = EINVAL;
}

static void refine(const struct ask *ask, const char *detail, struct failure *failure)
{
	unsigned wish = wish_of(ask);
	size_t i;

	for (i = 0; i < sizeof(wordings) / sizeof(wordings[0]); i++)
		if (wordings[i].wishes & wish && has_status(wordings[i].statuses, failure->status) &&
		    wordings[i].says(detail)) {
			failure->error = wordings[i].error;
			return;
		}
	/* 412 is how a sister API says that a name is taken (API-FACTS 1.5). */
	if (failure->status == 409 || (failure->status == 412 && wish == CREATES))
		refine_conflict(wish, failure);
}

int fastly_refusal(const struct ask *ask, const struct http_answer *answer, struct failure *failure,
		   enum remedy *remedy)
{
	struct explanation explanation = {0};
	json_t *object = answer_object(answer);
	const char *plain = words_plain(answer);

	answer_status(answer, failure, remedy);
	if (explain(&explanation, object))
		quote_explanation(&explanation, failure);
	else if (plain)
		failure_quote(failure, plain, answer->body.length);
	refine(ask, explanation.detail ? explanation.detail : plain ? plain : "", failure);
	json_decref(object);
	return -failure->error;
}
