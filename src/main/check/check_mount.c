/* --check of a mount: asks its daemon through `.sstorefs/status`, and not the service. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "check_report.h"
#include "sstorefs/clock.h"

#define STATUS_MAX (4u << 20)

/* The child's part: a daemon that hangs would never let us go. */
static void copy_status(const char *path, int to)
{
	char piece[4096];
	ssize_t length;
	int from = open(path, O_RDONLY | O_CLOEXEC), failed = 0;

	if (from < 0)
		_exit(errno);
	while (!failed && (length = read(from, piece, sizeof piece)) != 0)
		if (length < 0 || write(to, piece, (size_t)length) != length)
			failed = errno;
	_exit(failed);
}

/* Appends what comes until the end. Returns 0 or a negative errno. */
static int collect(int from, uint64_t deadline, struct buffer *text)
{
	struct pollfd watched = {.fd = from, .events = POLLIN};
	char piece[4096];
	ssize_t length = 1;

	while (length > 0 && text->length < STATUS_MAX) {
		uint64_t now = clock_boottime();
		int ready = now < deadline ? poll(&watched, 1, (int)(deadline - now)) : 0;

		if (ready == 0)
			return -ETIMEDOUT;
		length = ready < 0 ? -1 : read(from, piece, sizeof piece);
		if (length < 0 && errno == EINTR)
			length = 1;
		else if (length > 0)
			buffer_append(text, piece, (size_t)length);
	}
	return length < 0 ? -errno : buffer_error(text);
}

/* Reads the mount's status. Returns 0 or a negative errno. */
static int read_status(const struct config *config, struct buffer *text)
{
	uint64_t deadline =
		clock_boottime() + (config->timeout < 86400000 ? config->timeout : 86400000);
	struct buffer path = {0};
	int ends[2], ended = 0, failed;
	pid_t child;

	buffer_printf(&path, "%s/.sstorefs/status", config->mountpoint);
	failed = buffer_error(&path);
	if (!failed && pipe2(ends, O_CLOEXEC))
		failed = -errno;
	if (failed)
		goto out;
	child = fork();
	if (child == 0)
		copy_status(buffer_cstr(&path), ends[1]);
	failed = child < 0 ? -errno : 0;
	close(ends[1]);
	if (!failed) {
		failed = collect(ends[0], deadline, text);
		if (failed)
			kill(child, SIGKILL);
		while (waitpid(child, &ended, 0) < 0 && errno == EINTR)
			;
		if (!failed && WIFEXITED(ended))
			failed = -WEXITSTATUS(ended);
	}
	close(ends[0]);
out:
	buffer_finish(&path);
	return failed;
}

static const struct {
	int error;
	const char *advice;
} remedies[] = {
	{ENOENT, "nothing of ours is mounted there"},
	{ENOTDIR, "nothing of ours is mounted there"},
	{ENOTCONN, "its daemon is gone: mount it again"},
	{EACCES, "only who mounted it may look"},
	{ETIMEDOUT, "its daemon does not answer"},
};

static void report_no_answer(struct check_report *report, const struct config *config, int error)
{
	struct buffer why = {0};
	const char *remedy = "its status can't be read";

	for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
		if (remedies[i].error == error)
			remedy = remedies[i].advice;
	buffer_printf(&why, "%s: %s: %s", config->mountpoint, strerror(error), remedy);
	report_failed(report, STEP_DAEMON, buffer_cstr(&why));
	buffer_finish(&why);
}

static void report_status(struct check_report *report, const struct config *config, json_t *status)
{
	const char *source = json_string_value(json_object_get(status, "source"));
	const char *endpoint = json_string_value(json_object_get(status, "endpoint"));
	const char *refused = json_string_value(json_object_get(status, "token_refused"));
	const char *down = json_string_value(json_object_get(status, "down"));
	json_t *remaining = json_object_get(status, "rate_limit_remaining");

	if (!source || !endpoint) {
		report_failed(report, STEP_DAEMON, "what stands there is no status of ours");
		return;
	}
	report_ok(report, STEP_DAEMON, "%s serves %s", config->mountpoint, source);
	if (config->alive)
		return;
	if (down)
		report_failed(report, STEP_SERVICE, down);
	else if (!json_is_true(json_object_get(status, "reachable")))
		report_failed(report, STEP_SERVICE, "the last request brought no answer");
	else
		report_ok(report, STEP_SERVICE, "%s answered when it was last asked", endpoint);
	if (refused)
		report_failed(report, STEP_ACCESS, refused);
	else if (!report->status)
		report_ok(report, STEP_ACCESS, "the token is accepted");
	if (json_is_integer(remaining))
		report->rate_limit_remaining = json_integer_value(remaining);
}

int check_mount(const struct config *config)
{
	struct check_report report;
	struct buffer text = {0};
	json_t *status = NULL;
	int failed, ended;

	report_begin(&report);
	failed = read_status(config, &text);
	if (!failed)
		status = json_loadb(buffer_cstr(&text), text.length, JSON_ALLOW_NUL, NULL);
	if (failed)
		report_no_answer(&report, config, -failed);
	else
		report_status(&report, config, status);
	report_print(&report, config);
	ended = report.status;
	json_decref(status);
	report_finish(&report);
	buffer_finish(&text);
	return ended;
}
