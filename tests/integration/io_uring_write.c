/*
 * io_uring_write PATH VALUE HOW: writes VALUE byte by byte with io_uring, closes the file, and
 * exits with the first errno. HOW: "current" is at the file's current position, "append" the same
 * with O_APPEND, "forward" and "backward" are at offsets, "close" closes by io_uring, too.
 */
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct io_uring ring;

static int wait_for_result(void)
{
	struct io_uring_cqe *completion;
	int result = io_uring_submit_and_wait(&ring, 1);

	if (result < 0)
		return result;
	result = io_uring_wait_cqe(&ring, &completion);
	if (result < 0)
		return result;
	result = completion->res;
	io_uring_cqe_seen(&ring, completion);
	return result;
}

static int write_byte(int fd, const char *value, size_t number, const char *how)
{
	size_t at = strcmp(how, "backward") == 0 ? strlen(value) - 1 - number : number;
	int uses_position = strcmp(how, "current") == 0 || strcmp(how, "append") == 0;

	io_uring_prep_write(io_uring_get_sqe(&ring), fd, value + at, 1,
			    uses_position ? (__u64)-1 : at);
	return wait_for_result();
}

int main(int argc, char **argv)
{
	const char *path = argv[1], *value = argv[2], *how = argv[argc - 1];
	int fd, result = io_uring_queue_init(4, &ring, 0);

	if (result) {
		fprintf(stderr, "io_uring: %s\n", strerror(-result));
		return 255;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | (strcmp(how, "append") ? 0 : O_APPEND),
		  0600);
	for (size_t i = 0; fd >= 0 && value[i] && result >= 0; i++)
		result = write_byte(fd, value, i, how);
	if (strcmp(how, "close") == 0) {
		io_uring_prep_close(io_uring_get_sqe(&ring), fd);
		result = wait_for_result();
	} else {
		close(fd);
	}
	return result < 0 ? -result : 0;
}
