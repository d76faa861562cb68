/* Any command line: taken with everything in it consistent, or refused. Attributes' texts are read
 * here as well, by attribute.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "byte_source.h"
#include "sstorefs/clock.h"
#include "sstorefs/config.h"
#include "sstorefs/name.h"

#define MESSAGE_MAX 8

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count, (void)arguments;
	quiet();
	clearenv();
	return 0;
}

/* True if libfuse would read an option that begins so: behind a comma without a backslash. */
static bool has_option(const char *options, const char *name)
{
	for (const char *at = options; *at; at++) {
		if (*at == '\\' && at[1])
			at++;
		else if (*at == ',' && !strncmp(at + 1, name, strlen(name)))
			return true;
	}
	return false;
}

static void check(const struct config *config)
{
	if (config->action != ACTION_MOUNT)
		return;
	MUST(config->provider && config->source && config->mountpoint);
	MUST(config->endpoint && (!strncasecmp(config->endpoint, "http://", 7) ||
				  !strncasecmp(config->endpoint, "https://", 8)));
	MUST(!config->store || name_is_canonical(config->store));
	MUST(!config->account || strlen(config->account));
	MUST(config->timeout > 0 && config->timeout < UINT64_C(1) << 41);
	MUST(config->ttl == CLOCK_NEVER || config->ttl < UINT64_C(1) << 41);
	MUST(config->negative_ttl < UINT64_C(1) << 41);
	MUST(config->umask <= 0777);
	MUST(config->uid != (uid_t)-1 && config->gid != (gid_t)-1);
	MUST(!config->allow_other || config->default_permissions);
	MUST(config->mount_options.length && !config->mount_options.failed);
	/* The source is a user's text: it must not become another option of the mount. */
	MUST(!has_option(buffer_cstr(&config->mount_options), "suid"));
}

/* Words between newlines. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *rest = text, *word;
	char program[] = "sstorefs", *arguments[MESSAGE_MAX + 2] = {program};
	struct config config;
	int count = 1, failed;

	MUST(text);
	while (count <= MESSAGE_MAX && (word = strsep(&rest, "\n"))) {
		arguments[count] = strdup(word);
		MUST(arguments[count]);
		count++;
	}
	failed = config_read(&config, count, arguments);
	MUST(failed == 0 || failed == -EINVAL);
	if (!failed)
		check(&config);
	config_finish(&config);
	while (count-- > 1)
		free(arguments[count]);
	free(text);
	return 0;
}
