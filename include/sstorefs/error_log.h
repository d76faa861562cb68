#pragma once

#include "sstorefs/buffer.h"
#include "sstorefs/clock.h"
#include "sstorefs/failure.h"

/*
 * The error log: the last failures, for `.sstorefs/errors`. Each goes to the log, too.
 */
#define ERROR_LOG_SIZE 100

struct error_log {
	struct error_log_line {
		wall_time_ns at;
		char operation[16];
		char path[540]; /* store/name, displayed */
		struct failure failure;
	} * lines; /* ERROR_LOG_SIZE of them, a ring */
	size_t next, count;
};

/* Makes an empty log. Returns 0 or -ENOMEM. */
int error_log_init(struct error_log *error_log);
void error_log_free(struct error_log *error_log);

/* Remembers a failure. `store` may be NULL or "" where the path has but one part. */
void error_log_add(struct error_log *error_log, const char *operation, const char *store,
		   const char *name, const struct failure *failure);

/*
 * Whether the newest line says the same and is less than a second old. One command may ask twice:
 * mv(1) tries renameat2(2) first, and then rename(2).
 */
bool error_log_repeats(const struct error_log *error_log, const char *operation, const char *store,
		       const char *name, const struct failure *failure);

/* The same as error_log_add(), and logs it. */
void error_log_report(struct error_log *error_log, const char *operation, const char *store,
		      const char *name, const struct failure *failure);

/* Appends the lines, newest first: time, operation, path, errno name, HTTP status, request id,
 * words, between tabs. */
void error_log_print(const struct error_log *error_log, struct buffer *text);
