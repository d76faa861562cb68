/* Text that was written by others, made safe to show: what a terminal, a log or a reader would take
 * for more than it is becomes an escape. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "sstorefs/buffer.h"
#include "utf8.h"

/*
 * Characters that show nothing, or change how others are shown: Unicode's categories Cc, Cf, Zl and
 * Zp, its property Default_Ignorable_Code_Point, and the blank of braille. Noncharacters are told
 * by their numbers.
 */
static const struct {
	uint32_t first, last;
} unprintable[] = {
	{0x0, 0x1f},	    {0x7f, 0x9f},	{0xad, 0xad},	    {0x34f, 0x34f},
	{0x600, 0x605},	    {0x61c, 0x61c},	{0x6dd, 0x6dd},	    {0x70f, 0x70f},
	{0x890, 0x891},	    {0x8e2, 0x8e2},	{0x115f, 0x1160},   {0x17b4, 0x17b5},
	{0x180b, 0x180f},   {0x200b, 0x200f},	{0x2028, 0x202e},   {0x2060, 0x206f},
	{0x2800, 0x2800},   {0x3164, 0x3164},	{0xfdd0, 0xfdef},   {0xfe00, 0xfe0f},
	{0xfeff, 0xfeff},   {0xffa0, 0xffa0},	{0xfff0, 0xfffb},   {0x110bd, 0x110bd},
	{0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
	{0xe0000, 0xe0fff},
};

static bool is_printable(uint32_t code)
{
	if ((code & 0xfffe) == 0xfffe)
		return false;
	for (size_t i = 0; i < sizeof unprintable / sizeof *unprintable; i++)
		if (code <= unprintable[i].last)
			return code < unprintable[i].first;
	return true;
}

size_t printable_next(const char **text, size_t *left, char piece[static PRINTABLE_MAX])
{
	size_t length = utf8_next(*text, *left);
	uint32_t code = length ? utf8_code(*text, length) : 0;

	if (!length) {
		sprintf(piece, "\\x%02x", (unsigned)(uint8_t) * *text);
		length = 1;
	} else if (is_printable(code)) {
		memcpy(piece, *text, length);
		piece[length] = '\0';
	} else if (code < 0x10000) {
		sprintf(piece, "\\u%04x", (unsigned)code);
	} else {
		sprintf(piece, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((code - 0x10000) >> 10)),
			(unsigned)(0xdc00 + (code & 0x3ff)));
	}
	*text += length;
	*left -= length;
	return strlen(piece);
}
