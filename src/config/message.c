/* Messages about the command line, and the variables of the environment. */
#include "options.h"
#include <errno.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int usage_error(const char *format, ...)
{
	va_list arguments;
	struct buffer line = {0}, shown = {0};

	va_start(arguments, format);
	buffer_vprintf(&line, format, arguments);
	va_end(arguments);
	/* A word of the command line may contain any byte; a message is one line. */
	buffer_printable(&shown, buffer_cstr(&line), "");
	fprintf(stderr, "sstorefs: %s\n",
		buffer_error(&shown) || buffer_error(&line)
			? "out of memory: free some and try again"
			: buffer_cstr(&shown));
	buffer_finish(&shown);
	buffer_finish(&line);
	return -EINVAL;
}

int option_error(const struct mount_option *option, const char *value, const char *fault)
{
	return usage_error("%s=%s %s", option->name, value, fault);
}

int oom_error(void)
{
	usage_error("out of memory while reading the command line: free some and try again");
	return -ENOMEM;
}

const char *env_or_null(const char *name)
{
	const char *value = getenv(name);

	return value && *value != '\0' ? value : NULL;
}

bool text_matches(const char *pattern, const char *value)
{
	regex_t compiled;
	bool matches;

	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB))
		return false;
	matches = regexec(&compiled, value, 0, NULL, 0) == 0;
	regfree(&compiled);
	return matches;
}
