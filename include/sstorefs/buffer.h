#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A string that grows. Never for values or tokens: those live in locked memory (locked.h).
 *
 * A zeroed buffer is an empty one. Once memory ran out `failed` stays set and every further append
 * does nothing, so that a row of appends needs one check at its end. `data` is NULL or ends with a
 * NUL that `length` does not count.
 */
struct buffer {
	char *data;
	size_t length;
	size_t size;
	bool failed;
};

/* Frees the memory; the buffer is an empty one then. Wipes nothing. */
void buffer_finish(struct buffer *buffer);

/* Forgets the content and `failed`, keeps the memory. */
void buffer_clear(struct buffer *buffer);

/* Append bytes, a string, and what printf(3) makes of `format`. */
void buffer_append(struct buffer *buffer, const void *data, size_t length);
void buffer_puts(struct buffer *buffer, const char *string);
void buffer_printf(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void buffer_vprintf(struct buffer *buffer, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

/* Encodes one byte for a URL or a form: letters, digits and `-._~` stand for themselves (RFC 3986,
 * unreserved), others become %XX. Returns the length of `piece`. */
size_t percent_encode(uint8_t byte, char piece[static 3]);

/* Appends `length` bytes so. */
void buffer_percent_encode(struct buffer *buffer, const void *data, size_t length);

/* Returns the letter behind the backslash for a byte that has one in JSON; 0 for the others. */
char json_letter(char byte);

/* Appends `string` as a JSON string with its quotes: what can't be seen is escaped, bytes that are
 * not UTF-8 become U+FFFD. */
void buffer_json_string(struct buffer *buffer, const char *string);

/*
 * The next character of a text that was written by others, as it may be shown: itself, `\u202e` for
 * what can't be seen or changes how others are shown, `\xff` for a byte that is no UTF-8. Moves
 * `text` and `left`, which is at least 1, behind it. Returns its length.
 */
#define PRINTABLE_MAX 16
size_t printable_next(const char **text, size_t *left, char piece[static PRINTABLE_MAX]);

/* Appends `text` so, with a backslash in front of each byte that is in `escaped`. */
void buffer_printable(struct buffer *buffer, const char *text, const char *escaped);

/* The same between quotes, which cannot be ended from within. */
void buffer_quoted(struct buffer *buffer, const char *text);

/* Returns the content as a string, "" for an empty buffer; valid until the next append. */
const char *buffer_cstr(const struct buffer *buffer);

/* Returns 0, or -ENOMEM if any append failed. */
int buffer_error(const struct buffer *buffer);
