/* Reads and writes the kernel's descriptor for libfuse, and sets one flag in the reply to INIT. */
#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs_internal.h"
#include "fuse_io.h"
#include "sstorefs/log.h"

#define REPLY_PAGE_SIZE 512 /* a power of two: what is aligned to it lies on one page */

/*
 * libfuse 3.14 takes FUSE_CAP_PARALLEL_DIROPS for granted and never tells the kernel of it. Without
 * that every LOOKUP in a directory waits in the kernel for the READDIR that waits for a page, or
 * for another LOOKUP that waits for the service.
 */
static void allow_parallel_lookups(const struct iovec *parts, int count)
{
	struct fuse_out_header header;
	struct fuse_init_out reply;

	if (count != 2 || parts[0].iov_len != sizeof header || parts[1].iov_len < sizeof reply)
		return;
	memcpy(&header, parts[0].iov_base, sizeof header);
	memcpy(&reply, parts[1].iov_base, sizeof reply);
	if (header.error || reply.major != FUSE_KERNEL_VERSION)
		return;
	reply.flags |= FUSE_PARALLEL_DIROPS;
	memcpy(parts[1].iov_base, &reply, sizeof reply);
}

/* The kernel takes hold of every page that an answer lies on: the parts of a small one are put
 * together on one. */
static ssize_t write_joined(int fd, const struct iovec *parts, char *joined)
{
	char *end = mempcpy(joined, parts[0].iov_base, parts[0].iov_len);

	end = mempcpy(end, parts[1].iov_base, parts[1].iov_len);
	return write(fd, joined, (size_t)(end - joined));
}

static ssize_t write_reply(int fd, struct iovec *parts, int count, void *data)
{
	struct fs *fs = data;

	/* INIT is the first question, and nothing is told before it is answered. */
	if (!fs->initialized)
		allow_parallel_lookups(parts, count);
	fs->initialized = true;
	if (count == 2 && parts[0].iov_len + parts[1].iov_len <= REPLY_PAGE_SIZE)
		return write_joined(fd, parts, fs->reply_page);
	return writev(fd, parts, count);
}

static ssize_t read_request(int fd, void *buffer, size_t size, void *data)
{
	(void)data;
	return read(fd, buffer, size);
}

/* Since Linux 6.16 (FUSE 7.44): names that were told before count no more. Nothing is locked, and
 * older kernels refuse it. */
#define NOTIFY_INC_EPOCH 8

void fs_forget_names(struct fs *fs)
{
	const struct fuse_out_header notice = {.len = sizeof notice, .error = NOTIFY_INC_EPOCH};

	if (fs->initialized && !fs->unmounted &&
	    write(fuse_session_fd(fs->session), &notice, sizeof notice) < 0)
		log_line(LOG_DEBUG, "names that the kernel remembers count for another second: %s",
			 strerror(errno));
}

int fuse_io_install(struct fs *fs)
{
	static const struct fuse_custom_io io = {.writev = write_reply, .read = read_request};

	fs->reply_page = aligned_alloc(REPLY_PAGE_SIZE, REPLY_PAGE_SIZE);
	if (!fs->reply_page)
		return -ENOMEM;
	return fuse_session_custom_io(fs->session, &io, fuse_session_fd(fs->session));
}
