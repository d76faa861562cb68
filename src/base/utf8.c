/* UTF-8 validation and character counting (Unicode 15, table 3-7); hex digits of escapes. */
#include "utf8.h"

#include <stdint.h>
#include <string.h>

#include "sstorefs/name.h"

/* Unicode's table of well-formed byte sequences (Unicode 15, table 3-7): it is the second byte that
 * rules out overlong forms, surrogates and what lies above U+10FFFF. */
static const struct {
	uint8_t first, last; /* of the first byte */
	uint8_t low, high;   /* of the second */
	uint8_t length;
} sequences[] = {
	{0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

/* Returns the length of the sequence that `bytes` begin within `length`; 0: they begin none. */
static size_t sequence_length(const uint8_t *bytes, size_t length)
{
	size_t row = 0;

	while (row < sizeof(sequences) / sizeof(sequences[0]) && bytes[0] > sequences[row].last)
		row++;
	if (row == sizeof(sequences) / sizeof(sequences[0]) || bytes[0] < sequences[row].first)
		return 0;
	if (sequences[row].length > 1 && length > 1 &&
	    (bytes[1] < sequences[row].low || bytes[1] > sequences[row].high))
		return 0;
	for (size_t i = 2; i < sequences[row].length && i < length; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	return sequences[row].length;
}

size_t utf8_next(const void *text, size_t length)
{
	const uint8_t *bytes = text;
	size_t character = bytes[0] < 0x80 ? 1 : sequence_length(bytes, length);

	return character <= length ? character : 0;
}

uint32_t utf8_code(const void *text, size_t length)
{
	const uint8_t *bytes = text;
	uint32_t code = length == 1 ? bytes[0] : bytes[0] & (0xffu >> (length + 1));

	for (size_t i = 1; i < length; i++)
		code = code << 6 | (bytes[i] & 0x3f);
	return code;
}

size_t utf8_valid_prefix(const void *text, size_t length)
{
	const uint8_t *bytes = text;
	size_t whole = 0, character;

	while (whole < length && (character = utf8_next(bytes + whole, length - whole)))
		whole += character;
	return whole;
}

bool utf8_is_valid(const void *text, size_t length)
{
	return utf8_valid_prefix(text, length) == length;
}

bool utf8_is_prefix(const void *text, size_t length)
{
	size_t whole = utf8_valid_prefix(text, length);

	return whole == length ||
	       sequence_length((const uint8_t *)text + whole, length - whole) > length - whole;
}

int hex_number(const void *text, size_t left, size_t count)
{
	static const char hex[] = "0123456789abcdef0123456789ABCDEF";
	const uint8_t *digits = text;
	int number = 0;

	if (left < count)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const char *found = digits[i] ? strchr(hex, digits[i]) : NULL;

		if (!found)
			return -1;
		number = number << 4 | (int)((found - hex) % 16);
	}
	return number;
}

size_t utf8_length(const void *text, size_t length)
{
	const uint8_t *bytes = text;
	size_t count = 0;

	for (size_t i = 0; i < length; i++)
		count += (bytes[i] & 0xc0) != 0x80;
	return count;
}
