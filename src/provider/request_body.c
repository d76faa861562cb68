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

/* How JSON writes `byte` in a string; NULL: as it is. `room` is for the longest. */
static const char *json_escape(uint8_t byte, char room[static 8])
{
	static const char bytes[] = "\"\\\b\f\n\r\t";
	static const char *const escapes[] = {"\\\"", "\\\\", "\\b", "\\f", "\\n", "\\r", "\\t"};
	const char *found = byte ? strchr(bytes, byte) : NULL;

	if (found)
		return escapes[found - bytes];
	if (byte >= 0x20 && byte != 0x7f)
		return NULL;
	snprintf(room, 8, "\\u%04x", (unsigned)byte);
	return room;
}

void body_json_string(struct body_writer *body, const void *bytes, size_t length)
{
	const uint8_t *byte = bytes;

	body_puts(body, "\"");
	for (size_t i = 0; i < length; i++) {
		char room[8];
		const char *escape = json_escape(byte[i], room);

		body_append(body, escape ? (const void *)escape : byte + i,
			    escape ? strlen(escape) : 1);
	}
	body_puts(body, "\"");
}

static void body_percent(struct body_writer *body, const void *bytes, size_t length)
{
	const uint8_t *byte = bytes;
	char piece[3];

	for (size_t i = 0; i < length; i++)
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

int body_build(struct locked *locked, void (*write)(struct body_writer *body, const void *context),
	       const void *context)
{
	struct body_writer body = {0};
	int failed;

	write(&body, context);
	failed = locked_reserve(locked, body.length);
	if (failed)
		return failed;
	locked->length = body.length;
	body = (struct body_writer){.at = locked->data};
	write(&body, context);
	return 0;
}

int request_body(struct http_request *request, const struct op_args *args, const char *type,
		 void (*write)(struct body_writer *body, const void *context))
{
	struct named_body from = {.args = args};
	int failed = name_decode(&from.name, args->name);

	if (!failed)
		failed = body_build(&request->body, write, &from);
	request->content_type = type;
	buffer_finish(&from.name);
	return failed ? failed : request_check(request);
}
