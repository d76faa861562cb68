/* Reads options whose value is text. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

void *option_member(struct config *config, const struct mount_option *option)
{
	return (char *)config + option->member;
}

int opt_text(struct config *config, const struct mount_option *option, const char *value)
{
	char **text = option_member(config, option);

	free(*text);
	*text = strdup(value);
	return *text ? 0 : oom_error(config);
}

/* Makes the path absolute: the daemon leaves its directory, and reads tokens again later. */
int opt_file(struct config *config, const struct mount_option *option, const char *value)
{
	char **path = option_member(config, option), *here;
	int failed = 0;

	if (value[0] == '/')
		return opt_text(config, option, value);
	here = getcwd(NULL, 0);
	if (!here)
		return usage_error(
			config,
			"the option '%s' has a relative path, and the current directory is unknown (%s): "
			"give the whole path",
			option->name, strerror(errno));
	free(*path);
	if (asprintf(path, "%s/%s", here, value) < 0) {
		*path = NULL;
		failed = oom_error(config);
	}
	free(here);
	return failed;
}

int opt_list(struct config *config, const struct mount_option *option, const char *value)
{
	if (value[strspn(value, ":")] == '\0' ||
	    value[strspn(value, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-:")] != '\0')
		return option_error(config, option, value,
				    "is no list of names: put colons between them, as in a:b");
	return opt_text(config, option, value);
}
