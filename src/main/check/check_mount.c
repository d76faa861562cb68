/* --check of a mount: reads `.sstorefs/status`, which its daemon makes, and calls no service. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "check.h"
#include "check_report.h"
#include "main/daemon.h"

#define STATUS_MAX (4u << 20)

/* Copies the status to `to`, in a child process that SIGALRM ends after `timeout` milliseconds: the
 * read never returns where the daemon hangs. Exits with 0 or an errno. */
static void copy_status(const char *path, int to, uint64_t timeout)
{
	const struct itimerval end = {
		.it_value = {(time_t)(timeout / 1000), (suseconds_t)(timeout % 1000 * 1000)}};
	size_t left = STATUS_MAX;
	ssize_t length = 1;
	char piece[4096];
	sigset_t none;
	int from;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGALRM, SIG_DFL);
	setitimer(ITIMER_REAL, &end, NULL);
	from = open(path, O_RDONLY | O_CLOEXEC);
	for (; from >= 0 && length > 0 && left > 0; left -= (size_t)length) {
		length = read(from, piece, sizeof piece);
		if (length < 0 || write(to, piece, (size_t)length) != length)
			_exit(errno);
	}
	_exit(from < 0 ? errno : 0);
}

/* Reads the mount's status; NULL: it is no JSON. Returns 0 or -errno. */
static int read_status(const struct config *config, json_t **status)
{
	int copy = memfd_create("sstorefs-status", MFD_CLOEXEC), failed = copy < 0 ? -errno : 0;
	struct buffer path = {0};
	pid_t child;

	buffer_printf(&path, "%s/.sstorefs/status", config->mountpoint);
	if (!failed)
		failed = buffer_error(&path);
	if (!failed) {
		child = fork();
		if (child == 0)
			copy_status(buffer_cstr(&path), copy, config->timeout);
		failed = child_wait(child);
	}
	if (!failed && lseek(copy, 0, SEEK_SET) == 0)
		*status = json_loadfd(copy, JSON_ALLOW_NUL, NULL);
	if (copy >= 0)
		close(copy);
	buffer_finish(&path);
	return failed;
}

static const struct {
	int error;
	const char *advice;
} remedies[] = {
	{ENOTDIR, "give the directory of a mount"},
	{ENOTCONN, "its daemon is gone: mount it again"},
	{EACCES, "only the user who mounted it may look"},
	{ETIMEDOUT, "its daemon does not answer"},
};

static void report_no_answer(struct check_report *report, const struct config *config, int error)
{
	struct buffer why = {0};
	const char *remedy = "its status can't be read";

	for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
		if (remedies[i].error == error)
			remedy = remedies[i].advice;
	if (error == ENOENT && access(config->mountpoint, F_OK) == 0)
		buffer_printf(&why,
			      "%s is a directory, and no mount of sstorefs: mount it, or see what "
			      "is mounted with findmnt -t fuse.sstorefs",
			      config->mountpoint);
	else if (error == ENOENT)
		buffer_printf(&why, "%s does not exist: correct the path, or mount it",
			      config->mountpoint);
	else
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
		report_failed(report, STEP_DAEMON, "its status is not one of sstorefs");
		return;
	}
	report_ok(report, STEP_DAEMON, "%s serves %s", config->mountpoint, source);
	if (config->alive)
		return;
	if (down)
		report_failed(report, STEP_SERVICE, down);
	else if (!json_is_true(json_object_get(status, "reachable")))
		report_failed(
			report, STEP_SERVICE,
			"it could not be reached when it was last asked; the daemon asks about once a minute");
	else
		report_ok(report, STEP_SERVICE, "%s answered when it was last asked", endpoint);
	if (refused)
		report_failed(report, STEP_ACCESS, refused);
	else if (!report->status)
		report_ok(report, STEP_ACCESS, "the token is accepted");
	report->open_to_root = json_is_true(json_object_get(status, "root_can_write_below"));
	if (json_is_integer(remaining))
		report->rate_limit_remaining = json_integer_value(remaining);
}

/* True if a directory that is no mount of sstorefs should be reported as open to root. Users need
 * no warning about directories of their own. */
static bool directory_is_open_to_root(const struct config *config)
{
	struct mount_place place = PLACE_NONE;
	struct buffer why = {0};
	bool open = geteuid() == 0 && !config->alive &&
		    !place_open(&place, config->mountpoint, &why) && place_is_open_to_root(&place);

	place_close(&place);
	buffer_finish(&why);
	return open;
}

int check_mount(const struct config *config)
{
	struct check_report report;
	json_t *status = NULL;
	int failed;

	report_begin(&report);
	failed = read_status(config, &status);
	if (failed == -ENOENT)
		report.open_to_root = directory_is_open_to_root(config);
	if (failed)
		report_no_answer(&report, config, -failed);
	else
		report_status(&report, config, status);
	json_decref(status);
	return report_finish(&report, config);
}
