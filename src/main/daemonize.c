/* Goes to the background, and waits for other child processes. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon.h"
#include "sstorefs/log.h"

int child_wait(pid_t child)
{
	int status = 0;

	if (child < 0)
		return -errno;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status))
		return -WEXITSTATUS(status);
	return WTERMSIG(status) == SIGALRM ? -ETIMEDOUT : -ECANCELED;
}

/* Exits with the status that the child sends, in the parent; with failure if the child ends without
 * sending one, which has explained that on stderr. */
static void leave_with_status_of_child(int status_fd)
{
	unsigned char status = STATUS_MOUNT_FAILED;
	ssize_t length;

	do
		length = read(status_fd, &status, sizeof status);
	while (length < 0 && errno == EINTR);
	_exit(length == sizeof status ? status : STATUS_MOUNT_FAILED);
}

int daemonize_fork(struct background *background, const struct config *config)
{
	int ends[2];
	pid_t child;

	background->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (background->null < 0 || pipe2(ends, O_CLOEXEC))
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
	background->status_fd = ends[1];
	return 0;
}

void daemonize_detach(const struct background *background)
{
	const unsigned char status = STATUS_GOOD;

	setsid();
	log_open(LOG_TO_SYSLOG, false);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(background->null, fd);
	close(background->null);
	if (chdir("/"))
		log_line(
			LOG_WARNING,
			"cannot leave the current directory: its file system can't be unmounted meanwhile");
	if (write(background->status_fd, &status, sizeof status) != sizeof status)
		log_line(LOG_WARNING, "the process that started this mount did not wait for it");
	close(background->status_fd);
}
