/* Encodes what a service calls something into a file name, and back. */
#include "sstorefs/name.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

/* A displayed name while it is made: one byte more than may be, so that too long can be seen. */
struct encoded_name {
	char text[NAME_LENGTH_MAX + 3 + 1];
	size_t length;
};

/* True if an escape begins here. An encoded byte begins with '%', so the answer is the same before
 * and after encoding what follows. */
static bool is_escape(const char *text, size_t length)
{
	return text[0] == '%' && hex_number(text + 1, length - 1, 2) >= 0;
}

/* How many bytes at the front are encoded because of what the whole name is. */
static size_t reserved_bytes(const char *raw, size_t length)
{
	static const struct {
		const char *name;
		size_t encoded;
	} reserved[] = {{".", 1}, {"..", 2}, {".sstorefs", 1}};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (length == strlen(reserved[i].name) &&
		    memcmp(raw, reserved[i].name, length) == 0)
			return reserved[i].encoded;
	return 0;
}

static int encode(struct encoded_name *out, const char *raw, size_t length)
{
	size_t encoded = reserved_bytes(raw, length);

	if (length == 0)
		return -EINVAL;
	if (!utf8_is_valid(raw, length))
		return -EILSEQ;
	out->length = 0;
	for (size_t i = 0; i < length; i++) {
		uint8_t byte = (uint8_t)raw[i];

		if (i < encoded || byte == '/' || byte < 0x20 || byte == 0x7f ||
		    is_escape(raw + i, length - i))
			out->length +=
				(size_t)sprintf(out->text + out->length, "%%%02X", (unsigned)byte);
		else
			out->text[out->length++] = (char)byte;
		if (out->length > NAME_LENGTH_MAX)
			return -ENAMETOOLONG;
	}
	return 0;
}

/* Decodes any spelling, and only then asks whether it was the one that exists: the one that the
 * decoded name is displayed in. */
static int decode(char raw[static NAME_LENGTH_MAX], size_t *raw_length, const char *displayed)
{
	size_t decoded = 0, length = strnlen(displayed, NAME_LENGTH_MAX + 1);
	struct encoded_name out;

	if (length > NAME_LENGTH_MAX)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (is_escape(displayed + i, length - i)) {
			raw[decoded++] = (char)hex_number(displayed + i + 1, 2, 2);
			i += 2;
		} else {
			raw[decoded++] = displayed[i];
		}
	}
	*raw_length = decoded;
	if (encode(&out, raw, decoded) != 0)
		return -EINVAL;
	return out.length == length && memcmp(out.text, displayed, length) == 0 ? 0 : -EINVAL;
}

int name_display(struct buffer *displayed, const char *raw, size_t length)
{
	struct encoded_name out;
	int failed = encode(&out, raw, length);

	if (failed)
		return failed;
	buffer_append(displayed, out.text, out.length);
	return buffer_error(displayed);
}

int name_decode(struct buffer *raw, const char *displayed)
{
	char bytes[NAME_LENGTH_MAX];
	size_t length;
	int failed = decode(bytes, &length, displayed);

	if (failed)
		return failed;
	buffer_append(raw, bytes, length);
	return buffer_error(raw);
}

int name_with_id(struct buffer *displayed, const char *name, const char *id)
{
	struct buffer raw = {0};
	int failed = name_decode(&raw, name);

	buffer_puts(&raw, "~");
	buffer_puts(&raw, id);
	if (!failed)
		failed = buffer_error(&raw);
	if (!failed)
		failed = name_display(displayed, raw.data, raw.length);
	buffer_finish(&raw);
	return failed;
}

bool name_is_canonical(const char *displayed)
{
	char bytes[NAME_LENGTH_MAX];
	size_t length;

	return decode(bytes, &length, displayed) == 0;
}

bool name_matches_alphabet(const char *displayed, const char *alphabet)
{
	char bytes[NAME_LENGTH_MAX];
	size_t length;

	if (decode(bytes, &length, displayed))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!bytes[i] || !strchr(alphabet, bytes[i]))
			return false;
	return true;
}
