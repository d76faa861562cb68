/*
 * The last failures, in memory, newest first when they are read.
 */
#include "sstorefs/error_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sstorefs/log.h"

int journal_init(struct journal *journal)
{
	*journal = (struct journal){.lines = calloc(JOURNAL_SIZE, sizeof *journal->lines)};
	return journal->lines ? 0 : -ENOMEM;
}

void journal_finish(struct journal *journal)
{
	free(journal->lines);
	*journal = (struct journal){0};
}

/* What stands in a line for nothing, so that every line has the same fields. */
static const char *or_dash(const char *text)
{
	return *text ? text : "-";
}

static void fill(struct journal_line *line, const char *operation, const char *store, const char *name,
		 const struct failure *failure)
{
	line->at = clock_wall();
	snprintf(line->operation, sizeof line->operation, "%s", operation);
	snprintf(line->path, sizeof line->path, "%s%s%s", store ? store : "", store && *store ? "/" : "",
		 name);
	line->failure = *failure;
}

void journal_add(struct journal *journal, const char *operation, const char *store, const char *name,
		 const struct failure *failure)
{
	fill(&journal->lines[journal->next], operation, store, name, failure);
	journal->next = (journal->next + 1) % JOURNAL_SIZE;
	journal->count += journal->count < JOURNAL_SIZE;
}

bool journal_repeats(const struct journal *journal, const char *operation, const char *store,
		     const char *name, const struct failure *failure)
{
	const struct journal_line *newest =
		&journal->lines[(journal->next + JOURNAL_SIZE - 1) % JOURNAL_SIZE];
	struct journal_line line;

	if (!journal->count)
		return false;
	fill(&line, operation, store, name, failure);
	return line.at >= newest->at && line.at - newest->at < NANOSECONDS &&
	       strcmp(line.operation, newest->operation) == 0 && strcmp(line.path, newest->path) == 0 &&
	       failure->error == newest->failure.error && strcmp(failure->words, newest->failure.words) == 0;
}

void journal_record(struct journal *journal, const char *operation, const char *store, const char *name,
		    const struct failure *failure)
{
	journal_add(journal, operation, store, name, failure);
	log_event(LOG_WARNING,
		  &(const struct log_event){
			  .operation = operation, .store = store, .name = name, .failure = failure});
}

void journal_print(const struct journal *journal, struct buffer *text)
{
	char time[TIME_TEXT_SIZE];

	for (size_t i = 0; i < journal->count; i++) {
		const struct journal_line *line =
			&journal->lines[(journal->next + JOURNAL_SIZE - 1 - i) % JOURNAL_SIZE];
		const struct failure *failure = &line->failure;

		buffer_printf(text, "%s\t%s\t", time_format(line->at, time), line->operation);
		buffer_printable(text, line->path, "\\");
		buffer_printf(text, "\t%s\t", failure_errno_name(failure->error));
		if (failure->status)
			buffer_printf(text, "%d\t", failure->status);
		else
			buffer_string(text, "-\t");
		buffer_printable(text, or_dash(failure->request_id), "");
		buffer_printf(text, "\t%s\n", or_dash(failure->words));
	}
}
