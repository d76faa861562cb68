/* The log: one line an event, to stderr or syslog. */
#include "sstorefs/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log_fold.h"
#include "log_queue.h"
#include "sstorefs/buffer.h"
#include "sstorefs/clock.h"

#define LOG_LINE_MAX 2048

/* The project's one global: a failure must find the log from everywhere, before there is anything
 * else to find it by. */
static struct {
	enum log_target target;
	bool debug, json, systemd_journal, ready;
	const char *source, *mountpoint;
} logging = {.target = LOG_TO_STDERR};

/* JOURNAL_STREAM says device and inode of what the service manager made our stderr; a redirected
 * one is another file. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat status;

	return stream && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

static const char *level_name(int priority)
{
	static const char *const names[] = {
		[LOG_EMERG] = "emergency", [LOG_ALERT] = "alert",     [LOG_CRIT] = "critical",
		[LOG_ERR] = "error",	   [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
		[LOG_INFO] = "info",	   [LOG_DEBUG] = "debug"};

	return names[LOG_PRI(priority)];
}

/* --- what surrounds a line */

/* Begins a line as syslog(3) does (RFC 3164): priority, local time, name and process id. */
static void begin_syslog(struct buffer *line, int priority)
{
	time_t now = clock_wall() / NANOSECONDS;
	char date[32] = "";
	struct tm local;

	if (localtime_r(&now, &local))
		strftime(date, sizeof date, "%h %e %T ", &local);
	buffer_printf(line, "<%d>%ssstorefs[%d]: ", LOG_DAEMON | LOG_PRI(priority), date,
		      (int)getpid());
}

/*
 * Writes a line. `rest` is all of it but the time, and of an object but the brace and the time; a
 * line that is no event has no time of its own where people read it as it comes.
 */
static void write_line(int priority, const char *rest, bool has_time, uint64_t repeats)
{
	struct buffer line = {0};
	char time[TIME_TEXT_SIZE];

	time_format_ms(clock_wall(), time);
	if (logging.target == LOG_TO_SYSLOG)
		begin_syslog(&line, priority);
	else if (logging.systemd_journal) /* which knows our name, and the time */
		buffer_printf(&line, "<%d>", LOG_PRI(priority));
	else if (!logging.json)
		buffer_printf(&line, "sstorefs: %s%s", has_time ? time : "", has_time ? " " : "");
	if (logging.json && repeats)
		buffer_printf(&line, "{\"time\": \"%s\", \"repeated\": %" PRIu64 ", %s", time,
			      repeats, rest);
	else if (logging.json)
		buffer_printf(&line, "{\"time\": \"%s\", %s", time, rest);
	else if (repeats)
		buffer_printf(&line, "%s … repeated %" PRIu64 " times", rest, repeats);
	else
		buffer_puts(&line, rest);
	if (buffer_error(&line))
		log_queue_lost();
	else
		log_queue_add(buffer_cstr(&line));
	buffer_finish(&line);
}

/* Of lines that are folded it is their first byte that tells whether they are events; objects all
 * have a time. */
enum { PLAIN = ' ', EVENT = '!' };

static void write_repeat(int priority, const char *marked, uint64_t times)
{
	write_line(priority, marked + 1, *marked == EVENT, times);
}

static void write_all(int priority, struct buffer *marked, bool may_be_left_out)
{
	const char *rest = buffer_cstr(marked);

	if (buffer_error(marked))
		log_queue_lost();
	else if (priority == LOG_DEBUG || log_fold_passes(priority, rest, may_be_left_out))
		write_line(priority, rest + 1, *rest == EVENT, 0);
	buffer_finish(marked);
}

static void say_lost(uint64_t lines)
{
	struct buffer marked = {0};
	char words[128];

	snprintf(words, sizeof words,
		 "%" PRIu64 " lines were lost here: the log's reader did not take them", lines);
	buffer_printf(&marked, "%c", PLAIN);
	if (logging.json)
		buffer_printf(&marked,
			      "\"level\": \"warning\", \"lost\": %" PRIu64 ", \"message\": \"%s\"}",
			      lines, words);
	else
		buffer_puts(&marked, words);
	if (!buffer_error(&marked))
		write_line(LOG_WARNING, buffer_cstr(&marked) + 1, false, 0);
	buffer_finish(&marked);
}

static void say_left_out(uint64_t lines)
{
	log_line(LOG_WARNING,
		 "%" PRIu64 " lines were left out here: too many; .sstorefs/errors has the last",
		 lines);
}

/* --- opening and closing */

static void get_ready(void)
{
	static const struct log_fold_reporters reporters = {write_repeat, say_left_out};

	if (logging.ready)
		return;
	logging.ready = true;
	log_fold_init(&reporters);
	log_queue_set_reporter(say_lost);
}

void log_open(enum log_target target, bool debug)
{
	get_ready();
	log_fold_tell();
	log_queue_open(target);
	logging.target = target;
	logging.debug = debug;
	logging.systemd_journal = target == LOG_TO_STDERR && stderr_is_journal();
}

void log_as_json(bool json)
{
	logging.json = json;
}

void log_name(const char *source, const char *mountpoint)
{
	logging.source = source;
	logging.mountpoint = mountpoint;
}

void log_attach(struct loop *loop)
{
	get_ready();
	log_queue_attach(loop);
	log_fold_attach(loop);
}

void log_close(void)
{
	log_attach(NULL);
	log_queue_close();
}

/* --- what a line says */

static void add_string(struct buffer *line, const char *name, const char *value)
{
	if (!value)
		return;
	buffer_printf(line, logging.json ? "\"%s\": " : "%s=", name);
	if (logging.json)
		buffer_json_string(line, value);
	else
		buffer_quoted(line, value);
	buffer_puts(line, logging.json ? ", " : " ");
}

static void add_number(struct buffer *line, const char *name, int64_t value)
{
	buffer_printf(line, logging.json ? "\"%s\": %" PRId64 ", " : "%s=%" PRId64 " ", name,
		      value);
}

static const char *unless_empty(const char *text)
{
	return text && *text ? text : NULL;
}

/* Names the source and the mount: several daemons may write to one log. */
static void begin_line(struct buffer *line, int priority, char mark)
{
	get_ready();
	buffer_printf(line, "%c", mark);
	if (logging.json)
		buffer_printf(line, "\"level\": \"%s\", ", level_name(priority));
	else if (logging.target != LOG_TO_SYSLOG && !logging.systemd_journal)
		return;
	add_string(line, "source", logging.source);
	add_string(line, "mountpoint", logging.mountpoint);
}

/* The fields end with what parts them from more of them. */
static void end_line(struct buffer *line)
{
	size_t parting = logging.json ? 2 : 1;

	if (line->length < parting)
		return;
	line->length -= parting;
	line->data[line->length] = '\0';
	if (logging.json)
		buffer_puts(line, "}");
}

void log_line(int priority, const char *format, ...)
{
	char message[LOG_LINE_MAX];
	struct buffer line = {0};
	va_list arguments;

	if (priority == LOG_DEBUG && !logging.debug)
		return;
	va_start(arguments, format);
	if (vsnprintf(message, sizeof(message), format, arguments) < 0)
		strcpy(message, "a line that could not be written");
	va_end(arguments);
	begin_line(&line, priority, PLAIN);
	if (logging.json) {
		add_string(&line, "message", message);
		end_line(&line);
	} else {
		buffer_printable(&line, message, "");
	}
	write_all(priority, &line, false);
}

static void add_failure(struct buffer *line, const struct failure *failure)
{
	if (!logging.json)
		buffer_printf(line, "errno=%s ",
			      failure->errnum ? failure_errno_name(failure->errnum) : "0");
	else if (failure->errnum)
		add_string(line, "errno", failure_errno_name(failure->errnum));
	else
		buffer_puts(line, "\"errno\": null, ");
}

/* Fields that this program knows come first, then texts that others wrote. */
static void add_event(struct buffer *line, const struct log_event *event)
{
	static const struct failure none;
	const struct failure *failure = event->failure ? event->failure : &none;
	const struct log_actor *actor = event->actor;

	if (logging.json)
		add_string(line, "operation", event->operation);
	else
		buffer_printf(line, "%s ", event->operation);
	add_failure(line, failure);
	if (actor) {
		add_number(line, "uid", actor->uid);
		add_number(line, "gid", actor->gid);
		add_number(line, "pid", actor->pid);
	}
	if (failure->http_status)
		add_number(line, "status", failure->http_status);
	add_string(line, "store", unless_empty(event->store));
	add_string(line, "name", unless_empty(event->name));
	add_string(line, "to", event->to);
	if (actor) {
		add_string(line, "program", unless_empty(actor->program));
		add_string(line, "cgroup", unless_empty(actor->cgroup));
	}
	add_string(line, "digest", event->digest);
	add_string(line, "effect", event->effect);
	add_string(line, "request_id", unless_empty(failure->request_id));
	add_string(line, logging.json ? "message" : "words", unless_empty(failure->message));
}

void log_event(int priority, const struct log_event *event)
{
	struct buffer line = {0};

	if (priority == LOG_DEBUG && !logging.debug)
		return;
	begin_line(&line, priority, EVENT);
	add_event(&line, event);
	end_line(&line);
	write_all(priority, &line, !event->is_change);
}
