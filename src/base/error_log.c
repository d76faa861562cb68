/* Keeps the last failures in memory; they are printed newest first. */
#include "sstorefs/error_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sstorefs/log.h"

int error_log_init(struct error_log *error_log)
{
	*error_log = (struct error_log){.lines = calloc(ERROR_LOG_SIZE, sizeof *error_log->lines)};
	return error_log->lines ? 0 : -ENOMEM;
}

void error_log_free(struct error_log *error_log)
{
	free(error_log->lines);
	*error_log = (struct error_log){0};
}

/* Stands for an empty field, so that every line has the same fields. */
static const char *or_dash(const char *text)
{
	return *text ? text : "-";
}

static void fill(struct error_log_line *line, const char *operation, const char *store,
		 const char *name, const struct failure *failure)
{
	line->at = clock_wall();
	snprintf(line->operation, sizeof line->operation, "%s", operation);
	snprintf(line->path, sizeof line->path, "%s%s%s", store ? store : "",
		 store && *store ? "/" : "", name);
	line->failure = *failure;
}

void error_log_add(struct error_log *error_log, const char *operation, const char *store,
		   const char *name, const struct failure *failure)
{
	fill(&error_log->lines[error_log->next], operation, store, name, failure);
	error_log->next = (error_log->next + 1) % ERROR_LOG_SIZE;
	error_log->count += error_log->count < ERROR_LOG_SIZE;
}

bool error_log_repeats(const struct error_log *error_log, const char *operation, const char *store,
		       const char *name, const struct failure *failure)
{
	const struct error_log_line *newest =
		&error_log->lines[(error_log->next + ERROR_LOG_SIZE - 1) % ERROR_LOG_SIZE];
	struct error_log_line line;

	if (!error_log->count)
		return false;
	fill(&line, operation, store, name, failure);
	return line.at >= newest->at && line.at - newest->at < NANOSECONDS &&
	       strcmp(line.operation, newest->operation) == 0 &&
	       strcmp(line.path, newest->path) == 0 && failure->errnum == newest->failure.errnum &&
	       strcmp(failure->message, newest->failure.message) == 0;
}

void error_log_report(struct error_log *error_log, const char *operation, const char *store,
		      const char *name, const struct failure *failure)
{
	error_log_add(error_log, operation, store, name, failure);
	log_event(LOG_WARNING, &(const struct log_event){.operation = operation,
							 .store = store,
							 .name = name,
							 .failure = failure});
}

void error_log_print(const struct error_log *error_log, struct buffer *text)
{
	char time[TIME_TEXT_SIZE];

	for (size_t i = 0; i < error_log->count; i++) {
		const struct error_log_line *line =
			&error_log->lines[(error_log->next + ERROR_LOG_SIZE - 1 - i) %
					  ERROR_LOG_SIZE];
		const struct failure *failure = &line->failure;

		buffer_printf(text, "%s\t%s\t", time_format(line->at, time), line->operation);
		buffer_printable(text, line->path, "\\");
		buffer_printf(text, "\t%s\t", failure_errno_name(failure->errnum));
		if (failure->http_status)
			buffer_printf(text, "%d\t", failure->http_status);
		else
			buffer_puts(text, "-\t");
		buffer_printable(text, or_dash(failure->request_id), "");
		buffer_printf(text, "\t%s\n", or_dash(failure->message));
	}
}
