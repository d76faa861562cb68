/*
 * Going to the background.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon.h"
#include "sstorefs/log.h"

/* The parent's part: leaves with what the child says, or with failure if it ends without a word (it has said why on stderr). */
static void leave_with_status_of_child(int told)
{
	unsigned char status = STATUS_MOUNT_FAILED;
	ssize_t length;

	do
		length = read(told, &status, sizeof status);
	while (length < 0 && errno == EINTR);
	_exit(length == sizeof status ? status : STATUS_MOUNT_FAILED);
}

int background_enter(const struct config *config)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	child = fork();
	if (child < 0)
		return -errno;
	if (child) {
		token_wipe_environment(config);
		close(ends[1]);
		leave_with_status_of_child(ends[0]);
	}
	close(ends[0]);
	return ends[1];
}

void background_ready(int teller)
{
	const unsigned char status = STATUS_GOOD;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	log_open(LOG_TO_SYSLOG, false);
	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
	if (chdir("/"))
		log_line(LOG_WARNING,
			 "cannot leave the current directory: its file system can't be unmounted meanwhile");
	if (write(teller, &status, sizeof status) != sizeof status)
		log_line(LOG_WARNING, "whoever started this mount did not wait for it");
	close(teller);
}
