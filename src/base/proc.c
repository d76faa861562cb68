/* Reads files of proc(5). */
#include "sstorefs/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* `status` of a process with 65 536 supplementary groups, the most there can be. */
#define STATUS_SIZE (1 << 20)

int proc_error(int error)
{
	return error == ENOENT || error == ESRCH || error == EACCES || error == EPERM ? -ESRCH
										      : -ENOBUFS;
}

ssize_t proc_read(int directory, const char *path, char *text, size_t size)
{
	int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return proc_error(errno);
	/* The kernel produces the whole file in one read, or as much of it as there is room for. */
	length = read(fd, text, size - 1);
	if (length < 0)
		length = proc_error(errno);
	close(fd);
	if (length >= 0)
		text[length] = '\0';
	return length;
}

ssize_t proc_read_of(pid_t process, const char *name, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)process, name);
	return proc_read(-1, path, text, size);
}

int proc_reread_status(int fd, const char **text)
{
	static char status[STATUS_SIZE]; /* takes memory only as far as it is filled */
	ssize_t length = pread(fd, status, sizeof status - 1, 0);

	if (length < 0)
		return proc_error(errno);
	if (length == sizeof status - 1)
		return -ENOBUFS;
	status[length] = '\0';
	*text = status;
	return 0;
}

int proc_read_status(pid_t thread, const char **text)
{
	char path[64];
	int fd, failed;

	snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return proc_error(errno);
	failed = proc_reread_status(fd, text);
	close(fd);
	return failed;
}
