/* Any text as the value of an attribute that can be set: what is taken is fit to be sent. */
#include "byte_source.h"
#include "fetch/catalog.h"
#include "fs/fs_internal.h"
#include "fs/setxattr.h"

static const struct provider *const providers[] = {&provider_fastly, &provider_cloudflare,
						   &provider_stripe, &provider_github,
						   &provider_github_organization};
static enum refusal (*const readers[])(const struct fs *fs, const char *value, size_t size,
				       struct pending_attrs *attrs) = {
	parse_scopes, parse_comment, parse_visibility, parse_repositories, parse_expires_at};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count, (void)arguments;
	quiet();
	return 0;
}

static void check(const struct pending_attrs *attrs)
{
	const char *lists[] = {attrs->scopes, attrs->repositories};

	for (size_t i = 0; i < COUNT(lists); i++) {
		size_t length = lists[i] ? strlen(lists[i]) : 0;

		if (!lists[i])
			continue;
		MUST(length && lists[i][0] != ':' && lists[i][length - 1] != ':');
		MUST(!strchr(lists[i], ',') && !strstr(lists[i], "::"));
	}
	MUST(!attrs->visibility || utf8_is_valid(attrs->visibility, strlen(attrs->visibility)));
	MUST(!attrs->comment || utf8_is_valid(attrs->comment, strlen(attrs->comment)));
	MUST(!attrs->expiry_is_set || attrs->expires_at == TIME_UNKNOWN ||
	     attrs->expires_at > clock_wall() - NANOSECONDS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	static struct catalog catalog = {.cache.last_date = TIME_UNKNOWN}; /* no service was read */
	struct fs fs = {.provider = providers[input_number(&input, COUNT(providers) - 1)],
			.catalog = &catalog};
	unsigned which = input_number(&input, COUNT(readers) - 1);
	/* Not terminated, as attributes' values are. */
	char *value = malloc(input.left ? input.left : 1);
	struct pending_attrs attrs = {0};
	enum refusal refusal;

	MUST(value);
	memcpy(value, input.data, input.left);
	refusal = readers[which](&fs, value, input.left, &attrs);
	MUST(refusal != REFUSAL_NO_MEMORY);
	if (!refusal)
		check(&attrs);
	pending_attrs_free(&attrs);
	free(value);
	return 0;
}
