#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <syslog.h>

#include "sstorefs/failure.h"
#include "sstorefs/loop.h"

/*
 * The log: stderr in the foreground, syslog in the background. One line an event, in which nothing
 * that was written by others can pass for a field or change what a terminal shows. Never a value or
 * a token: callers pass none.
 *
 * It never waits for its reader: what the reader does not take is kept, as far as there is room,
 * and what was lost is counted and said. A line that comes again within seconds is counted and said
 * once more with its number.
 */
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG };

/* A stderr that goes to the journal (JOURNAL_STREAM of systemd.exec(5)) gets the priority in front
 * of each line, as sd-daemon(3) has it. */
void log_open(enum log_target target, bool debug);

/* From now on each line is one JSON object. */
void log_as_json(bool json);

/* Sets source and mountpoint, for logs that several daemons share; kept by the caller until
 * log_close. NULL: not known. */
void log_name(const char *source, const char *mountpoint);

/* From now on `loop` writes what could not be written at once. NULL: no loop any more. */
void log_attach(struct loop *loop);

/* Writes what is left, for at most a second, and says what was lost. */
void log_close(void);

/* `priority` is one of syslog's LOG_ERR … LOG_DEBUG; LOG_DEBUG lines appear only after `-d`.
 * Arguments that others wrote are to be quoted. */
void log_line(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define CGROUP_SIZE 256 /* what is longer is cut */

/* The process that did it. */
struct log_actor {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	char program[32];	  /* its name as /proc has it, "" where that is not visible */
	char cgroup[CGROUP_SIZE]; /* names its container; "" where it is not visible */
};

/* One operation that was done or tried. Members that are NULL are left out. */
struct log_event {
	const char *operation;
	const struct log_actor *actor;
	const char *store, *name;
	const char *to;	    /* the other name, of rename and link */
	const char *digest; /* of what is there now */
	const char *effect; /* "created" or "replaced" */
	const struct failure *failure;
	bool is_change; /* one that was asked of the service: each has its line, however many there
			   are */
};
void log_event(int priority, const struct log_event *event);
