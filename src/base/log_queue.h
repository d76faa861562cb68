#pragma once

#include <stdint.h>

#include "sstorefs/log.h"

/*
 * Lines on their way to stderr or syslog. Nothing here waits, but log_queue_close for a second.
 */

/* Sets where lines go from now on; those for the place before have had their second. */
void log_queue_open(enum log_target target);

/* From now on `loop` writes what could not be written at once; NULL: no loop any more. */
void log_queue_attach(struct loop *loop);

/* Takes a copy of `line`, without its end, and writes it, now or later. */
void log_queue_add(const char *line);

/* A line that could not be made counts as lost, too. */
void log_queue_lost(void);

/* Sets how the number of lines that were lost is said: `say` makes a line of it and adds that. */
void log_queue_set_reporter(void (*say)(uint64_t lost));

/* Writes what is left, for at most a second, and says what was lost. */
void log_queue_close(void);
