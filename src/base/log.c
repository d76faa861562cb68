/* The log: one line an event, to stderr or syslog; what was recorded for users to read (.sstorefs/errors) is not here. */
#include "sstorefs/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LOG_LINE_MAX 2048

/* The project's one global: a failure must find the log from everywhere, before there is anything else to find it by. */
static struct {
	enum log_target target;
	bool debug;
} logging = {.target = LOG_TO_STDERR};

void log_open(enum log_target target, bool debug)
{
	logging.target = target;
	logging.debug = debug;
	if (target == LOG_TO_SYSLOG)
		openlog("sstorefs", LOG_PID, LOG_DAEMON);
}

bool log_debugs(void)
{
	return logging.debug;
}

void log_line(int priority, const char *format, ...)
{
	char line[LOG_LINE_MAX], *byte;
	va_list arguments;

	if (priority == LOG_DEBUG && !logging.debug)
		return;
	va_start(arguments, format);
	if (vsnprintf(line, sizeof(line), format, arguments) < 0)
		strcpy(line, "a line that could not be written");
	va_end(arguments);
	for (byte = line; *byte; byte++)
		if ((unsigned char)*byte < 0x20 || *byte == 0x7f)
			*byte = '?';
	if (logging.target == LOG_TO_SYSLOG)
		syslog(priority, "%s", line);
	else
		fprintf(stderr, "sstorefs: %s\n", line);
}
