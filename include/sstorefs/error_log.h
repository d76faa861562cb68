#ifndef SSTOREFS_ERROR_LOG_H
#define SSTOREFS_ERROR_LOG_H

#include "sstorefs/buffer.h"
#include "sstorefs/clock.h"
#include "sstorefs/failure.h"

/*
 * The journal: the last failures, for `.sstorefs/errors`. Each goes to the log, too.
 */
#define JOURNAL_SIZE 100

struct journal {
	struct journal_line {
		wall_time at;
		char operation[16];
		char path[540]; /* store/name, displayed */
		struct failure failure;
	} * lines; /* JOURNAL_SIZE of them, a ring */
	size_t next, count;
};

/* 0 or -ENOMEM. */
int journal_init(struct journal *journal);
void journal_finish(struct journal *journal);

/* Remembers a failure. `store` may be NULL or "" where the path has but one part. */
void journal_add(struct journal *journal, const char *operation, const char *store, const char *name,
		 const struct failure *failure);

/*
 * Whether the newest line says the same and is less than a second old. One command may ask twice: mv(1)
 * tries renameat2(2) first, and then rename(2).
 */
bool journal_repeats(const struct journal *journal, const char *operation, const char *store,
		     const char *name, const struct failure *failure);

/* The same as journal_add(), and logs it. */
void journal_record(struct journal *journal, const char *operation, const char *store, const char *name,
		    const struct failure *failure);

/* Appends the lines, newest first: time, operation, path, errno name, HTTP status, request id, words, between tabs. */
void journal_print(const struct journal *journal, struct buffer *text);

#endif
