/*
 * Passing a descriptor to another process (SCM_RIGHTS).
 */
#include "sstorefs/descriptor.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

socklen_t unix_address(struct sockaddr_un *address, const char *path)
{
	size_t length = strlen(path), before = offsetof(struct sockaddr_un, sun_path);

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (length == 0 || length >= sizeof address->sun_path)
		return 0;
	memcpy(address->sun_path, path, length);
	if (path[0] != '@')
		return (socklen_t)(before + length + 1);
	address->sun_path[0] = '\0';
	return (socklen_t)(before + length);
}

int descriptor_send(int to, const char *text, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *header;

	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof control.bytes;
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(header), &fd, sizeof fd);
	}
	return sendmsg(to, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int descriptor_receive(int from, char *text, size_t size)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {.iov_base = text, .iov_len = size - 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof control.bytes};
	struct cmsghdr *header;
	ssize_t length = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
	int fd = -1;

	text[length > 0 ? length : 0] = '\0';
	header = length > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(header), sizeof fd);
	return fd;
}
