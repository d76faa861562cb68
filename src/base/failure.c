/* Failures: how they are set, quoted and named; whether a quotation gives a value away is censor.c's. */
#include "sstorefs/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

/* Whether a terminal or a log would take it for more than text: the control characters of ASCII and Latin-1, and Unicode's two line ends. */
static bool is_control(const char *character, size_t length)
{
	const uint8_t *bytes = (const uint8_t *)character;

	if (length == 1)
		return bytes[0] < 0x20 || bytes[0] == 0x7f;
	if (length == 2)
		return bytes[0] == 0xc2 && bytes[1] < 0xa0;
	return length == 3 && bytes[0] == 0xe2 && bytes[1] == 0x80 && (bytes[2] == 0xa8 || bytes[2] == 0xa9);
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

void failure_quote(struct failure *failure, const char *text, size_t length)
{
	size_t quoted = 0;
	bool blank = false;

	while (length > 0) {
		size_t character = utf8_character(text, length);
		const char *piece = character ? text : "\xef\xbf\xbd";
		size_t piece_length = character ? character : 3;

		if (is_blank(*text)) {
			blank = quoted > 0;
		} else if (!is_control(piece, piece_length)) {
			if (quoted + blank + piece_length >= sizeof(failure->words))
				break;
			if (blank)
				failure->words[quoted++] = ' ';
			memcpy(failure->words + quoted, piece, piece_length);
			quoted += piece_length;
			blank = false;
		}
		character = character ? character : 1;
		text += character;
		length -= character;
	}
	if (quoted)
		failure->words[quoted] = '\0';
}

int failure_set(struct failure *failure, int error, const char *format, ...)
{
	char text[2 * sizeof(failure->words)];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length < 0)
		length = 0;
	failure_quote(failure, text, strnlen(text, sizeof(text) - 1));
	failure->error = error;
	return -error;
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
