/* Reads a file that holds a token or a password, if no other user can change it. */
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "options.h"

#define SECRET_MAX 8192

int secret_explain(struct buffer *why, int failed, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	buffer_vprintf(why, format, arguments);
	va_end(arguments);
	return failed;
}

int no_locked_memory(struct buffer *why, int failed)
{
	return secret_explain(why, failed,
			      "no locked memory for the token: %s: raise the limit (ulimit -l)",
			      strerror(-failed));
}

static int unreadable(const struct secret_kind *kind, struct buffer *why, int failed,
		      const char *path)
{
	return secret_explain(
		why, failed,
		"can't read the %s file %s: %s: write %s there, readable for who mounts",
		kind->noun, path, strerror(-failed), kind->content);
}

int secret_copy(struct locked *to, const void *text, size_t length)
{
	int failed;

	locked_free(to);
	failed = locked_reserve(to, length + 1);
	if (!failed)
		failed = locked_append(to, text, length);
	if (!failed)
		to->data[length] = '\0';
	return failed;
}

/* Finds what people write around a token. Returns the fault and its remedy, or NULL. */
static const char *find_wrapping(const struct secret_kind *kind, const struct locked *text)
{
	const char *bytes = (const char *)text->data;
	size_t name = strspn(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

	if (text->length >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0)
		return "begins with a byte order mark: save the file as UTF-8 without one";
	if (!kind->is_word)
		return NULL;
	if (bytes[0] == '"' || bytes[0] == '\'')
		return "is in quotes: write it without them";
	if (strncmp(bytes, "export ", 7) == 0 || (name > 0 && bytes[name] == '='))
		return "is a line NAME=VALUE, as a shell has it: write the value alone";
	return NULL;
}

int secret_check(const struct secret_kind *kind, struct locked *text, const char *origin,
		 struct buffer *why)
{
	const char *wrapping;

	if (text->length > 0 && text->data[text->length - 1] == '\n')
		text->data[--text->length] = '\0';
	if (text->length > 0 && text->data[text->length - 1] == '\r')
		text->data[--text->length] = '\0';
	wrapping = text->length > 0 ? find_wrapping(kind, text) : NULL;
	if (wrapping)
		return secret_explain(why, -EINVAL, "%s %s", origin, wrapping);
	if (text->length == 0)
		return secret_explain(why, -EINVAL, "%s is empty: put %s there", origin,
				      kind->content);
	if (text->length > SECRET_MAX)
		return secret_explain(why, -EINVAL,
				      "%s is longer than %d bytes: put %s there and nothing else",
				      origin, SECRET_MAX, kind->content);
	for (size_t i = 0; i < text->length; i++)
		if (text->data[i] < kind->first || text->data[i] > kind->last ||
		    text->data[i] == 0x7f)
			return secret_explain(
				why, -EINVAL,
				"%s has a byte that no %s has, such as a line break, at position %zu: put "
				"%s there on one line and nothing else",
				origin, kind->noun, i + 1, kind->content);
	return 0;
}

/* True for a pipe without a name, which only the parent process can have passed: its owner does not
 * matter. */
static bool has_no_name(int fd)
{
	struct statfs file_system;

	return fstatfs(fd, &file_system) == 0 && file_system.f_type == PIPEFS_MAGIC;
}

/* True if the owner may decide to which account values go: root, the mounter, and the user that the
 * daemon becomes. */
static bool owner_is_trusted(const struct config *config, int fd, uid_t owner)
{
	return owner == 0 || owner == config->mounter ||
	       (config->user && owner == config->user_uid) || has_no_name(fd);
}

/* Checks the opened file, behind symbolic links. `again`: one was read before, and reading must
 * not wait for another. */
static int file_check(const struct secret_kind *kind, const struct config *config, const char *path,
		      int fd, bool again, struct stat *status, struct buffer *why)
{
	if (fstat(fd, status))
		return unreadable(kind, why, -errno, path);
	if (!S_ISREG(status->st_mode) && (again || !S_ISFIFO(status->st_mode)))
		return secret_explain(why, -EINVAL,
				      "the %s file %s is not a file: give %s= one that holds %s",
				      kind->noun, path, kind->option, kind->content);
	if (!owner_is_trusted(config, fd, status->st_uid))
		return secret_explain(
			why, -EACCES,
			"the %s file %s belongs to user %u, who could put another %s there: chown %u %s",
			kind->noun, path, status->st_uid, kind->noun, config->mounter, path);
	if (status->st_mode & (S_IROTH | S_IWOTH | S_IWGRP))
		return secret_explain(
			why, -EACCES,
			"the %s file %s has mode %04o, which lets others read or change it: chmod 600 %s",
			kind->noun, path, status->st_mode & 07777u, path);
	return 0;
}

/* Waits for the first byte or the end of a pipe that was opened without waiting, and makes its
 * reads wait. Returns 0 or -errno. */
static int pipe_wait(int fd)
{
	struct pollfd pipe = {.fd = fd, .events = POLLIN};

	while (poll(&pipe, 1, -1) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return fcntl(fd, F_SETFL, O_RDONLY) ? -errno : 0;
}

/* Reads into locked memory, to the end or to where it is too long. Returns 0 or -errno. */
static int read_all(int fd, struct locked *text)
{
	const size_t most = SECRET_MAX + 2; /* a newline, and one that is too much */
	int failed = locked_reserve(text, most + 1);

	while (!failed && text->length < most) {
		ssize_t got = read(fd, text->data + text->length, most - text->length);

		if (got == 0)
			break;
		if (got > 0)
			text->length += (size_t)got;
		else if (errno != EINTR)
			failed = -errno;
	}
	if (!failed)
		text->data[text->length] = '\0';
	return failed;
}

int secret_file_read(const struct secret_kind *kind, const struct config *config, const char *path,
		     bool again, struct locked *text, bool *from_pipe, struct buffer *why)
{
	/* O_NONBLOCK: a FIFO without a writer must not stop the open. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), failed;
	struct stat status;

	if (fd < 0)
		return unreadable(kind, why, -errno, path);
	failed = file_check(kind, config, path, fd, again, &status, why);
	if (failed)
		goto out;
	*from_pipe = S_ISFIFO(status.st_mode);
	if (*from_pipe)
		failed = pipe_wait(fd);
	if (!failed)
		failed = read_all(fd, text);
	if (failed == -ENOBUFS || failed == -ENOMEM)
		no_locked_memory(why, failed);
	else if (failed)
		unreadable(kind, why, failed, path);
out:
	close(fd);
	return failed;
}
