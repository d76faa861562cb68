/* Strings that grow, and the three encodings that fill them. Not for secrets: nothing is wiped. */
#include "sstorefs/buffer.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

#define BUFFER_SIZE_MIN 64

void buffer_finish(struct buffer *buffer)
{
	free(buffer->data);
	memset(buffer, 0, sizeof(*buffer));
}

void buffer_clear(struct buffer *buffer)
{
	buffer->length = 0;
	buffer->failed = false;
	if (buffer->data)
		buffer->data[0] = '\0';
}

/* Makes room for `length` more bytes and a NUL. Returns where they go; NULL: `failed` is set. */
static char *buffer_reserve(struct buffer *buffer, size_t length)
{
	size_t size = buffer->size ? buffer->size : BUFFER_SIZE_MIN;
	char *data;

	if (buffer->failed)
		return NULL;
	if (length >= SIZE_MAX / 2 - buffer->length)
		goto failed;
	while (size <= buffer->length + length)
		size *= 2;
	if (size != buffer->size) {
		data = realloc(buffer->data, size);
		if (!data)
			goto failed;
		buffer->data = data;
		buffer->size = size;
	}
	return buffer->data + buffer->length;

failed:
	buffer->failed = true;
	return NULL;
}

void buffer_append(struct buffer *buffer, const void *data, size_t length)
{
	char *room = buffer_reserve(buffer, length);

	if (!room)
		return;
	if (length > 0)
		memcpy(room, data, length);
	room[length] = '\0';
	buffer->length += length;
}

void buffer_puts(struct buffer *buffer, const char *string)
{
	buffer_append(buffer, string, strlen(string));
}

void buffer_vprintf(struct buffer *buffer, const char *format, va_list arguments)
{
	va_list again;
	int length;
	char *room;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	room = length < 0 ? NULL : buffer_reserve(buffer, (size_t)length);
	if (room) {
		vsnprintf(room, (size_t)length + 1, format, arguments);
		buffer->length += (size_t)length;
	} else {
		buffer->failed = true;
	}
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	buffer_vprintf(buffer, format, arguments);
	va_end(arguments);
}

size_t percent_encode(uint8_t byte, char piece[static 3])
{
	static const char digits[] = "0123456789ABCDEF";
	uint8_t lower = byte | 0x20;

	piece[0] = (char)byte;
	if ((lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9') ||
	    (byte && strchr("-._~", byte)))
		return 1;
	piece[0] = '%';
	piece[1] = digits[byte >> 4];
	piece[2] = digits[byte & 15];
	return 3;
}

void buffer_percent_encode(struct buffer *buffer, const void *data, size_t length)
{
	const uint8_t *bytes = data;
	char piece[3];

	for (size_t i = 0; i < length; i++)
		/* cppcheck-suppress uninitvar ; the call among the arguments writes it */
		buffer_append(buffer, piece, percent_encode(bytes[i], piece));
}

char json_letter(char byte)
{
	static const char bytes[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *found = byte ? strchr(bytes, byte) : NULL;

	return found ? letters[found - bytes] : '\0';
}

void buffer_json_string(struct buffer *buffer, const char *string)
{
	size_t left = strlen(string);
	char piece[PRINTABLE_MAX];

	buffer_append(buffer, "\"", 1);
	while (left > 0) {
		bool is_valid = utf8_next(string, left) > 0;
		char letter = json_letter(*string);
		size_t length = printable_next(&string, &left, piece);

		if (!is_valid)
			buffer_append(buffer, "\xef\xbf\xbd", 3);
		else if (letter)
			buffer_printf(buffer, "\\%c", letter);
		else
			buffer_append(buffer, piece, length);
	}
	buffer_append(buffer, "\"", 1);
}

const char *buffer_cstr(const struct buffer *buffer)
{
	return buffer->data ? buffer->data : "";
}

int buffer_error(const struct buffer *buffer)
{
	return buffer->failed ? -ENOMEM : 0;
}

void buffer_printable(struct buffer *buffer, const char *text, const char *escaped)
{
	size_t left = strlen(text);
	char piece[PRINTABLE_MAX];

	while (left > 0) {
		bool doubled = strchr(escaped, *text) != NULL;
		size_t length = printable_next(&text, &left, piece);

		if (doubled)
			buffer_append(buffer, "\\", 1);
		buffer_append(buffer, piece, length);
	}
}

void buffer_quoted(struct buffer *buffer, const char *text)
{
	buffer_append(buffer, "\"", 1);
	buffer_printable(buffer, text, "\\\"");
	buffer_append(buffer, "\"", 1);
}
