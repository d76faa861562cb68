/*
 * JSON and form bodies that hold values, written into locked memory by hand: jansson never sees a
 * value.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "provider_internal.h"
#include "sstorefs/name.h"

static void body_append(struct body_writer *body, const void *bytes, size_t length)
{
	if (body->at && length > 0) {
		memcpy(body->at, bytes, length);
		body->at += length;
	}
	body->length += length;
}

void body_puts(struct body_writer *body, const char *text)
{
	body_append(body, text, strlen(text));
}

/* Writes `byte` as JSON has it in a string. Returns the length of `piece`. */
static size_t json_escape(uint8_t byte, char piece[static 8])
{
	char letter = json_letter((char)byte);

	if (!letter && (byte < 0x20 || byte == 0x7f))
		return (size_t)snprintf(piece, 8, "\\u%04x", (unsigned)byte);
	piece[0] = letter ? '\\' : (char)byte;
	piece[1] = letter;
	return letter ? 2 : 1;
}

void body_json_string(struct body_writer *body, const void *bytes, size_t length)
{
	const uint8_t *byte = bytes;
	char piece[8];

	body_puts(body, "\"");
	for (size_t i = 0; i < length; i++)
		/* cppcheck-suppress uninitvar ; the call among the arguments writes it */
		body_append(body, piece, json_escape(byte[i], piece));
	body_puts(body, "\"");
}

static void body_percent(struct body_writer *body, const void *bytes, size_t length)
{
	const uint8_t *byte = bytes;
	char piece[3];

	for (size_t i = 0; i < length; i++)
		/* cppcheck-suppress uninitvar ; the call among the arguments writes it */
		body_append(body, piece, percent_encode(byte[i], piece));
}

void body_param(struct body_writer *body, const char *name, const void *bytes, size_t length)
{
	if (body->length > 0)
		body_puts(body, "&");
	body_percent(body, name, strlen(name));
	body_puts(body, "=");
	body_percent(body, bytes, length);
}

void body_base64(struct body_writer *body, const uint8_t *bytes, size_t length)
{
	size_t size = sodium_base64_ENCODED_LEN(length, sodium_base64_VARIANT_ORIGINAL);

	body_puts(body, "\"");
	if (body->at) {
		/* The next byte, at the latest the closing quote, overwrites the NUL it adds. */
		sodium_bin2base64((char *)body->at, size, bytes, length,
				  sodium_base64_VARIANT_ORIGINAL);
		body->at += size - 1;
	}
	body->length += size - 1;
	body_puts(body, "\"");
}

static int body_build(struct locked *locked, const struct named_body *from,
		      void (*write)(struct body_writer *body, const struct named_body *from))
{
	struct body_writer body = {0};
	int failed;

	write(&body, from);
	failed = locked_reserve(locked, body.length);
	if (failed)
		return failed;
	locked->length = body.length;
	body = (struct body_writer){.at = locked->data};
	write(&body, from);
	return 0;
}

int request_body(struct http_request *request, const struct op_args *args,
		 void (*write)(struct body_writer *body, const struct named_body *from))
{
	struct named_body from = {.args = args};
	int failed = name_decode(&from.name, args->name);

	if (!failed)
		failed = body_build(&request->body, &from, write);
	buffer_finish(&from.name);
	return failed;
}
