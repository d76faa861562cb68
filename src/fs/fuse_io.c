/* Reads and writes the kernel's descriptor for libfuse, and sets one flag in the reply to INIT. */
#include <linux/fuse.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs_internal.h"
#include "fuse_io.h"

#define REPLY_PAGE_SIZE 512 /* a power of two: a reply that is aligned to it lies on one page */

/*
 * Adds FUSE_PARALLEL_DIROPS to the reply to INIT: libfuse 3.14 never sends that flag, whatever is
 * wanted. Without it every LOOKUP in a directory waits in the kernel for the READDIR that waits for
 * a page, or for another LOOKUP that waits for the service.
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

static ssize_t write_reply(int fd, struct iovec *parts, int count, void *data)
{
	struct fs *fs = data;
	char *end;

	/* INIT is the first request, and no notification is sent before its reply. */
	if (!fs->initialized)
		allow_parallel_lookups(parts, count);
	fs->initialized = true;
	if (count != 2 || parts[0].iov_len + parts[1].iov_len > REPLY_PAGE_SIZE)
		return writev(fd, parts, count);
	/* The kernel pins every page that a reply lies on: the parts of a small one are joined on
	 * one page. */
	end = mempcpy(fs->reply_page, parts[0].iov_base, parts[0].iov_len);
	end = mempcpy(end, parts[1].iov_base, parts[1].iov_len);
	return write(fd, fs->reply_page, (size_t)(end - fs->reply_page));
}

static ssize_t read_request(int fd, void *buffer, size_t size, void *data)
{
	(void)data;
	return read(fd, buffer, size);
}

/* Invalidates all names that the kernel has cached, without a lock. Since Linux 6.16 (FUSE 7.44);
 * older kernels refuse it. */
#define NOTIFY_INC_EPOCH 8

void fs_forget_names(struct fs *fs)
{
	const struct fuse_out_header notice = {.len = sizeof notice, .error = NOTIFY_INC_EPOCH};

	if (fs->initialized && !fs->unmounted &&
	    write(fuse_session_fd(fs->session), &notice, sizeof notice) < 0)
		log_line(LOG_DEBUG,
			 "the kernel uses the names that it has cached for another second: %s",
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

void reply_sized(fuse_req_t request, const char *data, size_t length, size_t size)
{
	if (!size)
		fuse_reply_xattr(request, length);
	else if (length > size)
		fuse_reply_err(request, ERANGE);
	else
		fuse_reply_buf(request, data, length);
}
