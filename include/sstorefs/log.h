#ifndef SSTOREFS_LOG_H
#define SSTOREFS_LOG_H

#include <stdbool.h>
#include <syslog.h>

/*
 * The log: stderr in the foreground, syslog in the background. One line an event; control bytes are
 * replaced. Never a value or a token: callers pass none, and nothing here can know.
 */
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG };

/* A stderr that goes to the journal (JOURNAL_STREAM of systemd.exec(5)) gets the priority in front of each line, as sd-daemon(3) has it. */
void log_open(enum log_target target, bool debug);

/* From now on each line is one JSON object: time, level, message. */
void log_as_json(bool json);

/* `priority` is one of syslog's LOG_ERR … LOG_DEBUG; LOG_DEBUG lines appear only after `-d`. */
void log_line(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
