/*
 * Base64 of version tags, which are not secret and asked for all the time. Keys and sealed values
 * use libsodium's.
 */
#include "sstorefs/base64.h"

static char letter(uint32_t bits)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	return letters[bits & 63];
}

static char *encode_three(char *at, uint32_t three)
{
	*at++ = letter(three >> 18);
	*at++ = letter(three >> 12);
	*at++ = letter(three >> 6);
	*at++ = letter(three);
	return at;
}

const char *base64_encode(char *text, const uint8_t *bytes, size_t length)
{
	char *at = text;

	for (; length >= 3; bytes += 3, length -= 3)
		at = encode_three(at,
				  (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2]);
	if (length == 2) {
		at = encode_three(at, (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8);
		at[-1] = '=';
	} else if (length == 1) {
		at = encode_three(at, (uint32_t)bytes[0] << 16);
		at[-1] = at[-2] = '=';
	}
	*at = '\0';
	return text;
}
