/* What Stripe means when it refuses: its error object (API-FACTS 3.4) to errno and words; what it grants is stripe.c's. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "provider_internal.h"

/* Borrowed from the body; "" for what is absent. */
struct explanation {
	const char *type, *code, *param, *message;
};

static void explain(struct explanation *explanation, const json_t *object)
{
	const json_t *error = json_object_get(object, "error");
	const struct {
		const char *member, **text;
	} texts[] = {
		{"type", &explanation->type},
		{"code", &explanation->code},
		{"param", &explanation->param},
		{"message", &explanation->message},
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		*texts[i].text = member_text(error, texts[i].member);
		if (!*texts[i].text)
			*texts[i].text = "";
	}
}

static bool is(const char *text, const char *other)
{
	return strcmp(text, other) == 0;
}

static bool concerns_payload(const struct explanation *explanation)
{
	static const char *const lengths[] = {"at most", "too long", "too large", "maximum", NULL};

	return is(explanation->param, "payload") && words_have(explanation->message, lengths);
}

/* No code for it is known (API-FACTS 5): the words may tell. */
static bool tells_quota(const struct explanation *explanation)
{
	static const char *const codes[] = {"limit_exceeded", "limit_reached", "too_many", NULL};

	return (*explanation->param == '\0' || strncmp(explanation->param, "scope", 5) == 0) &&
	       (words_have(explanation->code, codes) || words_tell_quota(explanation->message));
}

static bool is_missing_scope(const struct explanation *explanation)
{
	return is(explanation->code, "resource_missing") && strncmp(explanation->param, "scope", 5) == 0;
}

static bool is_missing_name(const struct ask *ask, const struct explanation *explanation)
{
	static const char *const words[] = {"No such secret", NULL};
	bool names_one = ask->operation == OPERATION_FIND_SECRET || ask->operation == OPERATION_DELETE_SECRET;

	return (is(explanation->code, "resource_missing") && is(explanation->param, "name")) ||
	       (names_one && words_begin(explanation->message, words));
}

/* The key of a repetition is still in use by what it repeats, an object is locked, or too much is asked at once: all of it passes. */
static bool passes(const struct explanation *explanation)
{
	return is(explanation->code, "idempotency_key_in_use") || is(explanation->code, "lock_timeout") ||
	       is(explanation->code, "rate_limit");
}

static void refine(const struct ask *ask, const struct explanation *explanation, struct failure *failure)
{
	bool puts = ask->operation == OPERATION_PUT_SECRET;

	if (is_missing_scope(explanation)) {
		failure->error = ENOENT;
		failure->store_is_gone = true;
	} else if (is_missing_name(ask, explanation)) {
		failure->error = ENOENT;
	} else if (puts && concerns_payload(explanation)) {
		failure->error = EFBIG;
	} else if (puts && tells_quota(explanation)) {
		failure->error = EDQUOT;
	} else if (failure->error == EEXIST) {
		/* There is no create that could find something: a conflict is somebody else's change at the same moment. */
		failure->error = EAGAIN;
	}
}

/* The header has the last word (API-FACTS 3.4); a wish not to be asked again is patience's. */
static bool is_invited(const struct http_answer *answer)
{
	const char *again = http_answer_header(answer, "Stripe-Should-Retry");

	return again && strcasecmp(again, "true") == 0;
}

static void quote(const struct explanation *explanation, struct failure *failure)
{
	struct buffer words = {0};

	buffer_string(&words, *explanation->message ? explanation->message : explanation->type);
	if (*explanation->code)
		buffer_printf(&words, " (%s)", explanation->code);
	failure_quote(failure, buffer_text(&words), words.length);
	buffer_finish(&words);
}

int stripe_refusal(const struct ask *ask, const struct http_answer *answer, struct failure *failure,
		   enum remedy *remedy)
{
	const char *plain = words_plain(answer);
	json_t *object = answer_object(answer);
	struct explanation explanation;

	explain(&explanation, object);
	answer_status(answer, failure, remedy);
	if (*explanation.message || *explanation.type)
		quote(&explanation, failure);
	else if (plain)
		failure_quote(failure, plain, answer->body.length);
	if (*remedy == REMEDY_NONE)
		refine(ask, &explanation, failure);
	if (*remedy == REMEDY_NONE &&
	    (failure->error == EAGAIN || passes(&explanation) || is_invited(answer))) {
		failure->error = EAGAIN;
		*remedy = REMEDY_LATER;
	}
	json_decref(object);
	return -failure->error;
}
