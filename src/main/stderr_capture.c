/*
 * Captures what libfuse and fusermount3 print on stderr while they mount, for the one line that
 * says why it failed.
 */
#include "stderr_capture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MESSAGE_MAX 512

void stderr_capture_begin(struct stderr_capture *capture)
{
	fflush(stderr);
	capture->kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	capture->caught = memfd_create("sstorefs-mount-words", MFD_CLOEXEC);
	if (capture->kept >= 0 && capture->caught >= 0)
		dup2(capture->caught, STDERR_FILENO);
}

/* One line of what may be several. */
static void join_lines(char *text)
{
	size_t length = strlen(text);

	while (length > 0 && text[length - 1] == '\n')
		text[--length] = '\0';
	for (; *text; text++)
		if (*text == '\n')
			*text = ';';
}

void stderr_capture_end(struct stderr_capture *capture, struct buffer *why)
{
	char text[MESSAGE_MAX];
	ssize_t length = -1;

	fflush(stderr);
	if (capture->kept >= 0)
		dup2(capture->kept, STDERR_FILENO);
	if (capture->caught >= 0)
		length = pread(capture->caught, text, sizeof text - 1, 0);
	if (length > 0) {
		text[length] = '\0';
		join_lines(text);
		buffer_puts(why, text);
	}
	if (capture->kept >= 0)
		close(capture->kept);
	if (capture->caught >= 0)
		close(capture->caught);
}
