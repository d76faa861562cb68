/* What services write for people, read where a status says little; what follows from it is each service's own. */
#include <string.h>
#include <strings.h>

#include "provider_internal.h"

bool words_have(const char *words, const char *const *phrases)
{
	for (; *phrases; phrases++)
		if (strcasestr(words, *phrases))
			return true;
	return false;
}

bool words_begin(const char *words, const char *const *phrases)
{
	for (; *phrases; phrases++)
		if (strncasecmp(words, *phrases, strlen(*phrases)) == 0)
			return true;
	return false;
}

/* Limits of other things than the value's size and how many secrets and stores there may be. */
static bool tell_other_limit(const char *words)
{
	static const char *const subjects[] = {"name", "invalid name", "client_key", "client key", NULL};
	static const char *const limits[] = {"rate limit", "requests", "length", "character", NULL};

	return words_begin(words, subjects) || words_have(words, limits);
}

static const char *const limits[] = {"limit", "maximum", "exceed", "at most", NULL};
static const char *const sizes[] = {"size", "bytes", "KiB", NULL};

bool words_tell_size(const char *words)
{
	static const char *const plain[] = {"too large", "too big", "too long", NULL};

	return !tell_other_limit(words) &&
	       (words_have(words, plain) || (words_have(words, limits) && words_have(words, sizes)));
}

bool words_tell_quota(const char *words)
{
	static const char *const plain[] = {"quota", "too many", NULL};
	static const char *const counted[] = {"secrets", "stores", NULL};
	static const char *const most[] = {"up to", "more than", NULL};
	static const char *const reached[] = {"reach", "exceed", "number of", "allowed", NULL};

	return !tell_other_limit(words) && !words_have(words, sizes) &&
	       (words_have(words, plain) || (words_have(words, limits) && words_have(words, reached)) ||
		(words_have(words, counted) && words_have(words, most)));
}

const char *words_plain(const struct http_answer *answer)
{
	static const char plain[] = "text/plain";
	const char *type = http_answer_header(answer, "Content-Type");

	if (!type || strncasecmp(type, plain, strlen(plain)) != 0 || answer->body.length == 0)
		return NULL;
	return answer->body.data;
}
