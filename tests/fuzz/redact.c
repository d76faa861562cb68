/* A service's message about a value that it refused: afterwards no part of the value can be read
 * from them, in any of the spellings that are promised. */
#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "byte_source.h"
#include "sstorefs/buffer.h"
#include "sstorefs/failure.h"
#include "sstorefs/name.h"

#define RUN 8

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count, (void)arguments;
	quiet();
	return 0;
}

/* The next question is one of four spellings of a piece of the value, or text that the fuzzer
 * thought of. */
static void say(struct input *input, struct buffer *arguments, const uint8_t *value, size_t length)
{
	uint8_t how = input_byte(input);
	size_t begin = length ? input_byte(input) % length : 0, count = input_byte(input);
	char text[1024], piece[256];

	count = count < length - begin ? count : length - begin;
	memcpy(piece, value + begin, count);
	piece[count] = '\0';
	if (how % 5 == 0)
		buffer_append(arguments, piece, count);
	else if (how % 5 == 1)
		buffer_percent_encode(arguments, piece, count);
	else if (how % 5 == 2)
		buffer_json_string(arguments, piece);
	else if (how % 5 == 3)
		buffer_puts(arguments,
			    sodium_bin2base64(text, sizeof text, (const uint8_t *)piece, count,
					      how & 128 ? sodium_base64_VARIANT_URLSAFE_NO_PADDING
							: sodium_base64_VARIANT_ORIGINAL));
	else
		buffer_puts(arguments, input_text(input, text, 64));
}

/* Returns true if any 8 bytes in a row of the value are in the text. */
static bool quotes(const char *text, size_t text_length, const uint8_t *value, size_t length)
{
	size_t run = length < RUN ? length : RUN;

	if (run < 4)
		return false;
	for (size_t i = 0; i + run <= length; i++)
		if (memmem(text, text_length, value + i, run))
			return true;
	return false;
}

/* The same for base64, whichever of the three places in a group of bytes a run of 11 or more begins
 * at. */
static bool quotes_base64(const char *text, const uint8_t *value, size_t length)
{
	char encoded[32];

	for (size_t i = 0; i + 12 <= length; i++) {
		sodium_bin2base64(encoded, sizeof encoded, value + i, 12,
				  sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
		if (strstr(text, encoded))
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	size_t length;
	const uint8_t *bytes = input_bytes(&input, 200, &length);
	uint8_t *value = malloc(length ? length : 1);
	struct failure failure = {.errnum = 22};
	struct buffer arguments = {0};

	MUST(value);
	memcpy(value, bytes, length);
	for (unsigned i = 0; i < 6 && input.left; i++)
		say(&input, &arguments, value, length);
	failure_set_message(&failure, buffer_cstr(&arguments), arguments.length);
	MUST(utf8_is_valid(failure.message, strlen(failure.message)));
	failure_redact(&failure, value, length);
	MUST(utf8_is_valid(failure.message, strlen(failure.message)));
	MUST(strlen(failure.message) < sizeof failure.message);
	/* The message in its place quotes nothing, unless the value is made of its words. */
	if (strncmp(failure.message, "(the service quoted", 19) != 0) {
		MUST(!quotes(failure.message, strlen(failure.message), value, length));
		MUST(!quotes_base64(failure.message, value, length));
	}
	buffer_finish(&arguments);
	free(value);
	return 0;
}
