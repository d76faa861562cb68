/*
 * What --check found: how it is kept, what it means for the exit status, how it is printed. Finding out is check_source.c's and check_mount.c's.
 */
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
	[STEP_DAEMON] = {"daemon", CHECK_NO_DAEMON},	 [STEP_TOKEN] = {"token", CHECK_TOKEN_UNUSABLE},
	[STEP_SERVICE] = {"service", CHECK_UNREACHABLE}, [STEP_ACCESS] = {"access", CHECK_TOKEN_REFUSED},
	[STEP_STORE] = {"store", CHECK_NO_STORE},	 [STEP_READ] = {"read", CHECK_NO_READ},
	[STEP_KEY] = {"key", CHECK_KEY_REJECTED},	 [STEP_WRITE] = {"write", CHECK_NO_WRITE},
};

void findings_begin(struct findings *findings)
{
	*findings = (struct findings){.rate_limit_remaining = -1, .began_at = clock_boottime()};
}

void findings_finish(struct findings *findings)
{
	for (unsigned i = 0; i < STEP_COUNT; i++)
		buffer_finish(&findings->steps[i].says);
}

static struct finding *note(struct findings *findings, enum step step, const char *result)
{
	struct finding *finding = &findings->steps[step];
	uint64_t now = clock_boottime();

	buffer_clear(&finding->says);
	finding->result = result;
	finding->took = now - findings->began_at;
	findings->began_at = now;
	return finding;
}

void findings_good(struct findings *findings, enum step step, const char *format, ...)
{
	struct finding *finding = note(findings, step, "good");
	char says[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(says, sizeof says, format, arguments);
	va_end(arguments);
	buffer_string(&finding->says, says);
}

void findings_skip(struct findings *findings, enum step step, const char *why)
{
	buffer_string(&note(findings, step, "skipped")->says, why);
}

void findings_failed(struct findings *findings, enum step step, const char *why)
{
	buffer_string(&note(findings, step, "failed")->says, why);
	if (!findings->status)
		findings->status = steps[step].status;
}

/* A service that went away in the middle is no missing right. */
static bool is_trouble(const struct failure *failure)
{
	return failure->error == EIO || failure->error == ETIMEDOUT || failure->error == EHOSTUNREACH ||
	       failure->error == EAGAIN || failure->error == ENOMEM ||
	       (failure->error == EKEYREJECTED && !failure->status);
}

void findings_refused(struct findings *findings, enum step step, const struct failure *failure,
		      const char *why)
{
	struct finding *finding = &findings->steps[step];

	if (!findings->status && is_trouble(failure))
		findings->status = CHECK_UNREACHABLE;
	else if (!findings->status && failure->status == 401)
		findings->status = CHECK_TOKEN_REFUSED;
	findings_failed(findings, step, why);
	finding->http_status = failure->status;
	snprintf(finding->request_id, sizeof finding->request_id, "%s", failure->request_id);
}

static void print_lines(const struct findings *findings)
{
	struct buffer line = {0};

	for (unsigned i = 0; i < STEP_COUNT; i++) {
		const struct finding *finding = &findings->steps[i];

		if (!finding->result)
			continue;
		buffer_clear(&line);
		buffer_printable(&line, buffer_text(&finding->says), "");
		if (*finding->request_id) {
			buffer_string(&line, " (request ");
			buffer_quoted(&line, finding->request_id);
			buffer_string(&line, ")");
		}
		printf("%-8s %-8s %s\n", steps[i].name, finding->result, buffer_text(&line));
	}
	buffer_finish(&line);
}

static void print_member(struct buffer *text, const char *name, const char *value)
{
	buffer_printf(text, "\"%s\": ", name);
	if (value && *value)
		buffer_json(text, value);
	else
		buffer_string(text, "null");
	buffer_string(text, ", ");
}

static void print_step(struct buffer *text, unsigned step, const struct finding *finding)
{
	buffer_string(text, "{");
	print_member(text, "step", steps[step].name);
	print_member(text, "result", finding->result);
	print_member(text, "says", buffer_text(&finding->says));
	print_member(text, "request_id", finding->request_id);
	if (finding->http_status)
		buffer_printf(text, "\"http_status\": %d, ", finding->http_status);
	else
		buffer_string(text, "\"http_status\": null, ");
	buffer_printf(text, "\"seconds\": %.3f}", (double)finding->took / 1000);
}

static void print_object(const struct findings *findings, const struct config *config)
{
	struct buffer text = {0};
	const char *between = "";

	buffer_string(&text, "{");
	print_member(&text, "source", config->source);
	print_member(&text, "endpoint", config->source ? config->endpoint : NULL);
	print_member(&text, "mountpoint", config->mountpoint);
	buffer_printf(&text, "\"good\": %s, \"status\": %d, \"rate_limit_remaining\": ",
		      findings->status ? "false" : "true", findings->status);
	if (findings->rate_limit_remaining >= 0)
		buffer_printf(&text, "%" PRId64, findings->rate_limit_remaining);
	else
		buffer_string(&text, "null");
	buffer_string(&text, ", \"steps\": [");
	for (unsigned i = 0; i < STEP_COUNT; i++) {
		if (!findings->steps[i].result)
			continue;
		buffer_string(&text, between);
		print_step(&text, i, &findings->steps[i]);
		between = ", ";
	}
	buffer_string(&text, "]}");
	puts(buffer_text(&text));
	buffer_finish(&text);
}

void findings_print(const struct findings *findings, const struct config *config)
{
	if (config->json)
		print_object(findings, config);
	else
		print_lines(findings);
}
