/* The report of --check: its results, the exit status that follows, and how both are printed. */
#include "check_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
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

void report_finish(struct check_report *report)
{
	for (unsigned i = 0; i < STEP_COUNT; i++)
		buffer_finish(&report->steps[i].says);
}

static struct check_result *note(struct check_report *report, enum step step, const char *result)
{
	struct check_result *step_result = &report->steps[step];
	uint64_t now = clock_boottime();

	buffer_clear(&step_result->says);
	step_result->result = result;
	step_result->took = now - report->began_at;
	report->began_at = now;
	return step_result;
}

void report_ok(struct check_report *report, enum step step, const char *format, ...)
{
	struct check_result *step_result = note(report, step, "good");
	char says[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(says, sizeof says, format, arguments);
	va_end(arguments);
	buffer_puts(&step_result->says, says);
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

/* A service that went away in the middle is no missing right. */
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
	struct check_result *step_result = &report->steps[step];

	if (!report->status && is_failure(failure))
		report->status = CHECK_UNREACHABLE;
	else if (!report->status && failure->http_status == 401)
		report->status = CHECK_TOKEN_REFUSED;
	report_failed(report, step, why);
	step_result->http_status = failure->http_status;
	snprintf(step_result->request_id, sizeof step_result->request_id, "%s",
		 failure->request_id);
}

static void print_lines(const struct check_report *report)
{
	struct buffer line = {0};

	for (unsigned i = 0; i < STEP_COUNT; i++) {
		const struct check_result *step_result = &report->steps[i];

		if (!step_result->result)
			continue;
		buffer_clear(&line);
		buffer_printable(&line, buffer_cstr(&step_result->says), "");
		if (*step_result->request_id) {
			buffer_puts(&line, " (request ");
			buffer_quoted(&line, step_result->request_id);
			buffer_puts(&line, ")");
		}
		printf("%-8s %-8s %s\n", steps[i].name, step_result->result, buffer_cstr(&line));
	}
	buffer_finish(&line);
}

static void print_member(struct buffer *text, const char *name, const char *value)
{
	buffer_printf(text, "\"%s\": ", name);
	if (value && *value)
		buffer_json_string(text, value);
	else
		buffer_puts(text, "null");
	buffer_puts(text, ", ");
}

static void print_step(struct buffer *text, unsigned step, const struct check_result *step_result)
{
	buffer_puts(text, "{");
	print_member(text, "step", steps[step].name);
	print_member(text, "result", step_result->result);
	print_member(text, "says", buffer_cstr(&step_result->says));
	print_member(text, "request_id", step_result->request_id);
	if (step_result->http_status)
		buffer_printf(text, "\"http_status\": %d, ", step_result->http_status);
	else
		buffer_puts(text, "\"http_status\": null, ");
	buffer_printf(text, "\"seconds\": %.3f}", (double)step_result->took / 1000);
}

static void print_object(const struct check_report *report, const struct config *config)
{
	struct buffer text = {0};
	const char *between = "";

	buffer_puts(&text, "{");
	print_member(&text, "source", config->source);
	print_member(&text, "endpoint", config->source ? config->endpoint : NULL);
	print_member(&text, "mountpoint", config->mountpoint);
	buffer_printf(&text, "\"good\": %s, \"status\": %d, \"rate_limit_remaining\": ",
		      report->status ? "false" : "true", report->status);
	if (report->rate_limit_remaining >= 0)
		buffer_printf(&text, "%" PRId64, report->rate_limit_remaining);
	else
		buffer_puts(&text, "null");
	buffer_puts(&text, ", \"steps\": [");
	for (unsigned i = 0; i < STEP_COUNT; i++) {
		if (!report->steps[i].result)
			continue;
		buffer_puts(&text, between);
		print_step(&text, i, &report->steps[i]);
		between = ", ";
	}
	buffer_puts(&text, "]}");
	puts(buffer_cstr(&text));
	buffer_finish(&text);
}

void report_print(const struct check_report *report, const struct config *config)
{
	if (config->json)
		print_object(report, config);
	else
		print_lines(report);
}
