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
	return text_starts_with(words,
				PHRASES("name", "invalid name", "client_key", "client key")) ||
	       text_contains(words, PHRASES("rate limit", "requests", "length", "character"));
}

static bool has_limit(const char *words)
{
	return text_contains(words, PHRASES("limit", "maximum", "exceed", "at most"));
}

static bool has_size(const char *words)
{
	return text_contains(words, PHRASES("size", "bytes", "KiB"));
}

bool is_size_error(const char *words)
{
	return !is_other_limit(words) &&
	       (text_contains(words, PHRASES("too large", "too big", "too long")) ||
		(has_limit(words) && has_size(words)));
}

bool is_quota_error(const char *words)
{
	return !is_other_limit(words) && !has_size(words) &&
	       (text_contains(words, PHRASES("quota", "too many")) ||
		(has_limit(words) &&
		 text_contains(words, PHRASES("reach", "exceed", "number of", "allowed"))) ||
		(text_contains(words, PHRASES("secrets", "stores")) &&
		 text_contains(words, PHRASES("up to", "more than"))));
}

const char *text_plain_body(const struct http_response *response)
{
	static const char plain[] = "text/plain";
	const char *type = http_response_header(response, "Content-Type");

	if (!type || strncasecmp(type, plain, strlen(plain)) != 0 || response->body.length == 0)
		return NULL;
	return response->body.data;
}
