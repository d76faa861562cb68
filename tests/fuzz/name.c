/* Names there and back: what is displayed can be decoded to what it was, and only one spelling
 * exists. Percent-encoding and UTF-8 with them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "byte_source.h"
#include "sstorefs/name.h"

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count, (void)arguments;
	quiet();
	return 0;
}

/* What a service may call a secret. */
static void show(const uint8_t *raw, size_t length)
{
	struct buffer displayed = {0}, again = {0};
	int failed = name_display(&displayed, (const char *)raw, length);

	if (failed) {
		MUST(!displayed.length);
		MUST(failed == -EILSEQ || failed == -EINVAL || failed == -ENAMETOOLONG);
		MUST((failed == -EINVAL) == !length || failed != -EINVAL);
		MUST((failed == -EILSEQ) == !utf8_is_valid(raw, length));
	} else {
		const char *name = buffer_cstr(&displayed);

		MUST(strlen(name) == displayed.length && displayed.length <= NAME_LENGTH_MAX);
		MUST(!strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..") &&
		     strcmp(name, ".sstorefs"));
		MUST(name_is_canonical(name));
		MUST(!name_decode(&again, name));
		MUST(again.length == length && !memcmp(buffer_cstr(&again), raw, length));
	}
	buffer_finish(&again);
	buffer_finish(&displayed);
}

/* A name as a user may type it. */
static void type(const char *name)
{
	struct buffer raw = {0}, again = {0};
	bool canonical = name_is_canonical(name);
	int failed = name_decode(&raw, name);

	MUST(!canonical || !failed);
	if (!failed && *name && strlen(name) <= NAME_LENGTH_MAX) {
		MUST(canonical);
		MUST(!name_display(&again, buffer_cstr(&raw), raw.length));
		MUST(!strcmp(buffer_cstr(&again), name));
	}
	buffer_finish(&again);
	buffer_finish(&raw);
}

static void escape(const uint8_t *bytes, size_t length, const char *text)
{
	struct buffer escaped = {0};

	buffer_percent_encode(&escaped, bytes, length);
	for (size_t i = 0; i < escaped.length; i++)
		MUST(escaped.data[i] > 0x20 && escaped.data[i] < 0x7f);
	buffer_clear(&escaped);
	buffer_json_string(&escaped, text);
	MUST(utf8_is_valid(buffer_cstr(&escaped), escaped.length));
	buffer_finish(&escaped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(size ? size : 1);
	char *text = strndup((const char *)data, size);

	MUST(bytes && text);
	memcpy(bytes, data, size);
	show(bytes, size);
	type(text);
	escape(bytes, size, text);
	if (utf8_is_valid(bytes, size)) {
		MUST(utf8_is_prefix(bytes, size));
		MUST(utf8_length(bytes, size) <= size);
	}
	free(text);
	free(bytes);
	return 0;
}
