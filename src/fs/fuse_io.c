/*
 * The kernel's descriptor as libfuse reads and writes it. What is asked and answered is not looked at here, but for one
 * flag in the answer to INIT.
 */
#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs_internal.h"
#include "sstorefs/log.h"

#define SMALL_ANSWER 512 /* a power of two: what is aligned to it lies on one page */

/*
 * libfuse 3.14 takes FUSE_CAP_PARALLEL_DIROPS for granted and never tells the kernel of it. Without that every LOOKUP in a
 * directory waits in the kernel for the READDIR that waits for a page, or for another LOOKUP that waits for the
 * service.
 */
static void allow_parallel_lookups(const struct iovec *parts, int count)
{
	struct fuse_out_header header;
	struct fuse_init_out answer;

	if (count != 2 || parts[0].iov_len != sizeof header || parts[1].iov_len < sizeof answer)
		return;
	memcpy(&header, parts[0].iov_base, sizeof header);
	memcpy(&answer, parts[1].iov_base, sizeof answer);
	if (header.error || answer.major != FUSE_KERNEL_VERSION)
		return;
	answer.flags |= FUSE_PARALLEL_DIROPS;
	memcpy(parts[1].iov_base, &answer, sizeof answer);
}

/* The kernel takes hold of every page that an answer lies on: the parts of a small one are put together on one. */
static ssize_t write_joined(int fd, const struct iovec *parts, char *joined)
{
	char *end = mempcpy(joined, parts[0].iov_base, parts[0].iov_len);

	end = mempcpy(end, parts[1].iov_base, parts[1].iov_len);
	return write(fd, joined, (size_t)(end - joined));
}

static ssize_t write_answer(int fd, struct iovec *parts, int count, void *data)
{
	struct fs *fs = data;

	/* INIT is the first question, and nothing is told before it is answered. */
	if (!fs->introduced)
		allow_parallel_lookups(parts, count);
	fs->introduced = true;
	if (count == 2 && parts[0].iov_len + parts[1].iov_len <= SMALL_ANSWER)
		return write_joined(fd, parts, fs->small_answer);
	return writev(fd, parts, count);
}

static ssize_t read_request(int fd, void *buffer, size_t size, void *data)
{
	(void)data;
	return read(fd, buffer, size);
}

/* Since Linux 6.16 (FUSE 7.44): names that were told before count no more. Nothing is locked, and older kernels refuse it. */
#define NOTIFY_INC_EPOCH 8

void fs_forget_names(struct fs *fs)
{
	const struct fuse_out_header notice = {.len = sizeof notice, .error = NOTIFY_INC_EPOCH};

	if (fs->introduced && !fs->gone && write(fuse_session_fd(fs->session), &notice, sizeof notice) < 0)
		log_line(LOG_DEBUG, "names that the kernel remembers count for another second: %s",
			 strerror(errno));
}

int channel_take(struct fs *fs)
{
	static const struct fuse_custom_io io = {.writev = write_answer, .read = read_request};

	fs->small_answer = aligned_alloc(SMALL_ANSWER, SMALL_ANSWER);
	if (!fs->small_answer)
		return -ENOMEM;
	return fuse_session_custom_io(fs->session, &io, fuse_session_fd(fs->session));
}
