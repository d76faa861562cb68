/* The report of --check: its results, the exit status that follows, and how both are printed. */
#include "check_report.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sstorefs/clock.h"

static const struct {
	const char *name;
	int status; /* when it failed */
} steps[STEP_COUNT] = {
	[STEP_DAEMON] = {"daemon", CHECK_NO_DAEMON},
	[STEP_TOKEN] = {"token", CHECK_TOKEN_UNUSABLE},
	[STEP_SERVICE] = {"service", CHECK_UNREACHABLE},
	[STEP_ACCESS] = {"access", CHECK_TOKEN_REFUSED},
	[STEP_STORE] = {"store", CHECK_NO_STORE},
	[STEP_READ] = {"read", CHECK_NO_READ},
	[STEP_KEY] = {"key", CHECK_KEY_REJECTED},
	[STEP_WRITE] = {"write", CHECK_NO_WRITE},
};

void report_begin(struct check_report *report)
{
	*report = (struct check_report){.rate_limit_remaining = -1, .began_at = clock_boottime()};
}

static struct check_result *note(struct check_report *report, enum step step, const char *result)
{
	struct check_result *noted = &report->steps[step];
	uint64_t now = clock_boottime();

	buffer_clear(&noted->says);
	noted->result = result;
	noted->took = now - report->began_at;
	report->began_at = now;
	return noted;
}

void report_ok(struct check_report *report, enum step step, const char *format, ...)
{
	struct check_result *noted = note(report, step, "good");
	va_list arguments;

	va_start(arguments, format);
	buffer_vprintf(&noted->says, format, arguments);
	va_end(arguments);
}

void report_skip(struct check_report *report, enum step step, const char *why)
{
	buffer_puts(&note(report, step, "skipped")->says, why);
}

void report_failed(struct check_report *report, enum step step, const char *why)
{
	buffer_puts(&note(report, step, "failed")->says, why);
	if (!report->status)
		report->status = steps[step].status;
}

/* True if the service went away in the middle: no right is missing then. */
static bool is_failure(const struct failure *failure)
{
	return failure->errnum == EIO || failure->errnum == ETIMEDOUT ||
	       failure->errnum == EHOSTUNREACH || failure->errnum == EAGAIN ||
	       failure->errnum == ENOMEM ||
	       (failure->errnum == EKEYREJECTED && !failure->http_status);
}

void report_http_failed(struct check_report *report, enum step step, const struct failure *failure,
			const char *why)
{
	struct check_result *noted = &report->steps[step];

	if (!report->status && is_failure(failure))
		report->status = CHECK_UNREACHABLE;
	else if (!report->status && failure->http_status == 401)
		report->status = CHECK_TOKEN_REFUSED;
	report_failed(report, step, why);
	noted->http_status = failure->http_status;
	snprintf(noted->request_id, sizeof noted->request_id, "%s", failure->request_id);
}

static void print_lines(const struct check_report *report, const struct config *config)
{
	struct buffer line = {0};

	for (unsigned i = 0; i < STEP_COUNT; i++) {
		const struct check_result *noted = &report->steps[i];

		if (!noted->result)
			continue;
		buffer_clear(&line);
		buffer_printable(&line, buffer_cstr(&noted->says), "");
		if (*noted->request_id) {
			buffer_puts(&line, " (request ");
			buffer_quoted(&line, noted->request_id);
			buffer_puts(&line, ")");
		}
		printf("%-8s %-8s %s\n", steps[i].name, noted->result, buffer_cstr(&line));
	}
	buffer_clear(&line);
	if (config_explain_scopes(config, &line))
		printf("%-8s %-8s %s\n", "scopes", "warning", buffer_cstr(&line));
	if (report->open_to_root) {
		buffer_clear(&line);
		place_explain_open(&line, config->mountpoint);
		printf("%-8s %-8s %s\n", "below", "warning", buffer_cstr(&line));
	}
	buffer_finish(&line);
}

/* Makes a string, with what can't be shown escaped as in the lines; null for an empty text. */
static json_t *json_text(const char *text)
{
	struct buffer shown = {0};
	json_t *string;

	if (!text || !*text)
		return json_null();
	buffer_printable(&shown, text, "");
	string = json_string(buffer_cstr(&shown));
	buffer_finish(&shown);
	return string;
}

/* Makes a number; null if it is below `least`, which means that it is not known. */
static json_t *json_number(int64_t number, int64_t least)
{
	return number >= least ? json_integer(number) : json_null();
}

static void print_object(const struct check_report *report, const struct config *config)
{
	json_t *list = json_array(), *object;
	char *text;

	for (unsigned i = 0; i < STEP_COUNT; i++) {
		const struct check_result *result = &report->steps[i];

		if (result->result)
			json_array_append_new(
				list, json_pack("{s:s, s:s, s:o, s:o, s:o, s:f}", "step",
						steps[i].name, "result", result->result, "says",
						json_text(buffer_cstr(&result->says)), "request_id",
						json_text(result->request_id), "http_status",
						json_number(result->http_status, 1), "seconds",
						(double)result->took / 1000));
	}
	object = json_pack(
		"{s:o, s:o, s:o, s:b, s:b, s:i, s:o, s:o}", "source", json_text(config->source),
		"endpoint", json_text(config->source ? config->endpoint : NULL), "mountpoint",
		json_text(config->mountpoint), "root_can_write_below", report->open_to_root, "good",
		!report->status, "status", report->status, "rate_limit_remaining",
		json_number(report->rate_limit_remaining, 0), "steps", list);
	text = json_dumps(object, JSON_REAL_PRECISION(15));
	puts(text ? text : "{}");
	free(text);
	json_decref(object);
}

int report_finish(struct check_report *report, const struct config *config)
{
	if (config->json)
		print_object(report, config);
	else
		print_lines(report, config);
	for (unsigned i = 0; i < STEP_COUNT; i++)
		buffer_finish(&report->steps[i].says);
	return report->status;
}
