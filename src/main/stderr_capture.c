/* What libfuse and fusermount3 say on stderr while they mount, caught for the one line that tells why it failed; mounting is fs's. */
#include "stderr_capture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORDS_MAX 512

void mount_words_catch(struct mount_words *words)
{
	fflush(stderr);
	words->kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	words->caught = memfd_create("sstorefs-mount-words", MFD_CLOEXEC);
	if (words->kept >= 0 && words->caught >= 0)
		dup2(words->caught, STDERR_FILENO);
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

void mount_words_end(struct mount_words *words, struct buffer *why)
{
	char text[WORDS_MAX];
	ssize_t length = -1;

	fflush(stderr);
	if (words->kept >= 0)
		dup2(words->kept, STDERR_FILENO);
	if (words->caught >= 0)
		length = pread(words->caught, text, sizeof text - 1, 0);
	if (length > 0) {
		text[length] = '\0';
		join_lines(text);
		buffer_string(why, text);
	}
	if (words->kept >= 0)
		close(words->kept);
	if (words->caught >= 0)
		close(words->caught);
}
