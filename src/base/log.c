/* The log: one line an event, to stderr or syslog; what was recorded for users to read (.sstorefs/errors) is not here. */
#include "sstorefs/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sstorefs/buffer.h"
#include "sstorefs/clock.h"

#define LOG_LINE_MAX 2048

/* The project's one global: a failure must find the log from everywhere, before there is anything else to find it by. */
static struct {
	enum log_target target;
	bool debug, json, journal;
} logging = {.target = LOG_TO_STDERR};

/* JOURNAL_STREAM says device and inode of what the service manager made our stderr; a redirected one is another file. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat status;

	return stream && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

void log_open(enum log_target target, bool debug)
{
	logging.target = target;
	logging.debug = debug;
	logging.journal = target == LOG_TO_STDERR && stderr_is_journal();
	if (target == LOG_TO_SYSLOG)
		openlog("sstorefs", LOG_PID, LOG_DAEMON);
}

void log_as_json(bool json)
{
	logging.json = json;
}

static const char *level_name(int priority)
{
	static const char *const names[] = {
		[LOG_EMERG] = "emergency", [LOG_ALERT] = "alert",     [LOG_CRIT] = "critical",
		[LOG_ERR] = "error",	   [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
		[LOG_INFO] = "info",	   [LOG_DEBUG] = "debug"};

	return names[LOG_PRI(priority)];
}

static void write_line(int priority, const char *line)
{
	if (logging.target == LOG_TO_SYSLOG)
		syslog(priority, "%s", line);
	else if (logging.journal) /* which knows our name */
		fprintf(stderr, "<%d>%s\n", LOG_PRI(priority), line);
	else
		fprintf(stderr, "%s%s\n", logging.json ? "" : "sstorefs: ", line);
}

static void write_object(int priority, const char *message)
{
	struct buffer object = {0};
	char time[TIME_TEXT_SIZE];

	buffer_printf(&object,
		      "{\"time\": \"%s\", \"level\": \"%s\", \"message\": ", time_format(clock_wall(), time),
		      level_name(priority));
	buffer_json(&object, message);
	buffer_string(&object, "}");
	if (!buffer_result(&object))
		write_line(priority, buffer_text(&object));
	buffer_finish(&object);
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
	if (logging.json)
		write_object(priority, line);
	else
		write_line(priority, line);
}
