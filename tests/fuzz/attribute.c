/* Any text as the value of an attribute that can be set: what is taken is fit to be sent. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "byte_source.h"
#include "fs/fs_internal.h"
#include "sstorefs/name.h"

static const struct provider *const providers[] = {&provider_fastly, &provider_cloudflare, &provider_stripe};
static int (*const readers[])(const struct fs *fs, const char *value, size_t size,
			      struct wishes *wishes) = {wish_scopes, wish_comment, wish_expires_at};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

int LLVMFuzzerInitialize(int *count, char ***words)
{
	(void)count, (void)words;
	quiet();
	return 0;
}

static void check(const struct wishes *wishes)
{
	if (wishes->scopes) {
		size_t length = strlen(wishes->scopes);

		MUST(length && wishes->scopes[0] != ':' && wishes->scopes[length - 1] != ':');
		MUST(!strchr(wishes->scopes, ',') && !strstr(wishes->scopes, "::"));
	}
	MUST(!wishes->comment || utf8_is_valid(wishes->comment, strlen(wishes->comment)));
	MUST(!wishes->expiry_is_set || wishes->expires_at == TIME_UNKNOWN ||
	     wishes->expires_at > clock_wall() - NANOSECONDS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct fs fs = {.provider = providers[input_number(&input, COUNT(providers) - 1)]};
	unsigned which = input_number(&input, COUNT(readers) - 1);
	/* Not terminated, as attributes' values are. */
	char *value = malloc(input.left ? input.left : 1);
	struct wishes wishes = {0};
	int failed;

	MUST(value);
	memcpy(value, input.data, input.left);
	failed = readers[which](&fs, value, input.left, &wishes);
	MUST(failed == 0 || failed == -EINVAL || failed == -EILSEQ || failed == -EOPNOTSUPP);
	if (!failed)
		check(&wishes);
	wishes_finish(&wishes);
	free(value);
	return 0;
}
