/* Sets, quotes and names failures. */
#include "sstorefs/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sstorefs/buffer.h"

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

void failure_set_message(struct failure *failure, const char *text, size_t length)
{
	char piece[PRINTABLE_MAX];
	size_t quoted = 0;
	bool blank = false;

	while (length > 0) {
		size_t piece_length;

		if (is_blank(*text)) {
			blank = quoted > 0;
			text++;
			length--;
			continue;
		}
		piece_length = printable_next(&text, &length, piece);
		if (quoted + blank + piece_length >= sizeof(failure->message))
			break;
		if (blank)
			failure->message[quoted++] = ' ';
		memcpy(failure->message + quoted, piece, piece_length);
		quoted += piece_length;
		blank = false;
	}
	if (quoted)
		failure->message[quoted] = '\0';
}

int failure_set(struct failure *failure, int error, const char *format, ...)
{
	char text[2 * sizeof(failure->message)];
	va_list arguments;

	va_start(arguments, format);
	if (vsnprintf(text, sizeof(text), format, arguments) < 0)
		text[0] = '\0';
	va_end(arguments);
	failure_set_message(failure, text, strlen(text));
	failure->errnum = error;
	return -error;
}

bool failure_means_down(const struct failure *failure)
{
	return failure->errnum == EIO || failure->errnum == ETIMEDOUT ||
	       failure->errnum == EHOSTUNREACH || failure->errnum == EAGAIN;
}

const char *failure_errno_name(int error)
{
	static char number[16];
	const char *name = strerrorname_np(error);

	if (name)
		return name;
	snprintf(number, sizeof(number), "E%d", error);
	return number;
}
