/* Where the log is written to: stderr, whatever it is, or syslog's socket; never by a call that
 * waits for a reader. */
#include "log_target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

/* O_NONBLOCK belongs to the open file description, which other processes share: opens another one
 * of the same pipe. */
static void reopen(struct log_writer *writer)
{
	int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return;
	writer->kind = TO_REOPENED;
	writer->fd = fd;
}

static void open_stderr(struct log_writer *writer)
{
	struct stat status;

	*writer = (struct log_writer){.kind = TO_FILE, .fd = STDERR_FILENO};
	if (fstat(STDERR_FILENO, &status))
		return;
	if (S_ISSOCK(status.st_mode)) {
		writer->kind = TO_SOCKET;
	} else if (S_ISFIFO(status.st_mode) || isatty(STDERR_FILENO)) {
		writer->kind = TO_SHARED;
		reopen(writer);
	}
}

static bool connect_as(struct log_writer *writer, int type)
{
	static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int failed;

	if (fd < 0)
		return false;
	failed = connect(fd, (const struct sockaddr *)&address, sizeof address) ? errno : 0;
	if (failed) {
		close(fd);
		errno = failed;
		return false;
	}
	writer->fd = fd;
	writer->is_stream = type == SOCK_STREAM;
	return true;
}

/* As syslog(3) does: a datagram, or a stream where the other side wants one. */
static bool connect_syslog(struct log_writer *writer)
{
	return connect_as(writer, SOCK_DGRAM) ||
	       (errno == EPROTOTYPE && connect_as(writer, SOCK_STREAM));
}

void log_writer_open(struct log_writer *writer, enum log_target target)
{
	if (target == LOG_TO_STDERR) {
		open_stderr(writer);
		return;
	}
	*writer = (struct log_writer){.kind = TO_SYSLOG, .fd = -1};
	connect_syslog(writer);
}

static void disconnect(struct log_writer *writer)
{
	if (writer->fd >= 0)
		close(writer->fd);
	writer->fd = -1;
}

void log_writer_close(struct log_writer *writer)
{
	if (writer->kind == TO_REOPENED || writer->kind == TO_SYSLOG)
		disconnect(writer);
	writer->fd = -1;
}

const char *log_writer_end(const struct log_writer *writer, size_t *length)
{
	*length = writer->kind != TO_SYSLOG || writer->is_stream;
	return writer->kind == TO_SYSLOG ? "" : "\n";
}

/* Nothing says of a shared description that it may not wait. From Linux 6.5 on RWF_NOWAIT does, of
 * a pipe; before, and for terminals, it has room when poll says so, for as many bytes as a pipe
 * takes at once, unless another process takes the room in between. */
static ssize_t write_shared(int fd, const char *text, size_t length)
{
	struct iovec part = {.iov_base = (void *)(uintptr_t)text,
			     .iov_len = length < PIPE_BUF ? length : PIPE_BUF};
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	ssize_t written;

	if (poll(&room, 1, 0) == 0)
		return -EAGAIN;
	written = pwritev2(fd, &part, 1, -1, RWF_NOWAIT);
	if (written < 0 && errno == EOPNOTSUPP)
		written = write(fd, text, part.iov_len);
	return written < 0 ? -errno : written;
}

static ssize_t send_to(int fd, const char *text, size_t length)
{
	ssize_t sent = send(fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);

	return sent < 0 ? -errno : sent;
}

/* A syslog that was started again listens at another socket of the same name. */
static ssize_t send_syslog(struct log_writer *writer, const char *text, size_t length)
{
	ssize_t sent = writer->fd < 0 ? -ENOTCONN : send_to(writer->fd, text, length);

	if (sent >= 0 || sent == -EAGAIN || sent == -EMSGSIZE || sent == -ENOMEM)
		return sent;
	disconnect(writer);
	if (!connect_syslog(writer))
		return -ENOTCONN;
	sent = send_to(writer->fd, text, length);
	return sent == -ECONNREFUSED || sent == -ECONNRESET ? -ENOTCONN : sent;
}

ssize_t log_writer_write(struct log_writer *writer, const char *text, size_t length)
{
	ssize_t written;

	switch (writer->kind) {
	case TO_SYSLOG:
		return send_syslog(writer, text, length);
	case TO_SOCKET:
		return send_to(writer->fd, text, length);
	case TO_SHARED:
		return write_shared(writer->fd, text, length);
	case TO_REOPENED:
	case TO_FILE:
		break;
	}
	written = write(writer->fd, text, length);
	return written < 0 ? -errno : written;
}
