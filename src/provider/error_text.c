/* Recognizes sizes and quotas in the words of an error, where the status says little. */
#include <string.h>
#include <strings.h>

#include "provider_internal.h"

bool text_contains(const char *words, const char *const *phrases)
{
	for (; *phrases; phrases++)
		if (strcasestr(words, *phrases))
			return true;
	return false;
}

bool text_starts_with(const char *words, const char *const *phrases)
{
	for (; *phrases; phrases++)
		if (strncasecmp(words, *phrases, strlen(*phrases)) == 0)
			return true;
	return false;
}

/* Limits of other things than the value's size and how many secrets and stores there may be. */
static bool is_other_limit(const char *words)
{
	static const char *const subjects[] = {"name", "invalid name", "client_key", "client key",
					       NULL};
	static const char *const limits[] = {"rate limit", "requests", "length", "character", NULL};

	return text_starts_with(words, subjects) || text_contains(words, limits);
}

static const char *const limits[] = {"limit", "maximum", "exceed", "at most", NULL};
static const char *const sizes[] = {"size", "bytes", "KiB", NULL};

bool is_size_error(const char *words)
{
	static const char *const plain[] = {"too large", "too big", "too long", NULL};

	return !is_other_limit(words) &&
	       (text_contains(words, plain) ||
		(text_contains(words, limits) && text_contains(words, sizes)));
}

bool is_quota_error(const char *words)
{
	static const char *const plain[] = {"quota", "too many", NULL};
	static const char *const counted[] = {"secrets", "stores", NULL};
	static const char *const most[] = {"up to", "more than", NULL};
	static const char *const reached[] = {"reach", "exceed", "number of", "allowed", NULL};

	return !is_other_limit(words) && !text_contains(words, sizes) &&
	       (text_contains(words, plain) ||
		(text_contains(words, limits) && text_contains(words, reached)) ||
		(text_contains(words, counted) && text_contains(words, most)));
}

const char *text_plain_body(const struct http_response *response)
{
	static const char plain[] = "text/plain";
	const char *type = http_response_header(response, "Content-Type");

	if (!type || strncasecmp(type, plain, strlen(plain)) != 0 || response->body.length == 0)
		return NULL;
	return response->body.data;
}
