/*
 * Finds a value in a service's words. The words, being short, are decoded in every way in which
 * they may quote it; the value is not encoded.
 */
#include "sstorefs/failure.h"

#include <sodium.h>
#include <string.h>

#include "utf8.h"

#define MESSAGE_MAX sizeof(((struct failure *)NULL)->message)
#define CENSORED    "(the service quoted the value: its words are left out)"
#define RUN_LENGTH  8
#define RUN_MIN	    4
#define FILTER_BITS 16

/* The message under one decoding, which never makes it longer. */
struct decoded {
	uint8_t bytes[MESSAGE_MAX];
	size_t length;
};

/* The last bytes that were read, as a number. */
struct window {
	uint64_t bytes, mask;
	size_t length;	/* how many make it full */
	size_t present; /* how many there are */
};

/* Quoting drops or changes blanks and control bytes: the search is done with and without them. */
static bool is_skipped(uint8_t byte, bool without_blanks)
{
	return without_blanks && (byte <= 0x20 || byte == 0x7f);
}

static struct window window_of(size_t length)
{
	return (struct window){.mask = length == RUN_LENGTH ? UINT64_MAX
							    : (UINT64_C(1) << 8 * length) - 1,
			       .length = length};
}

/* Takes one more byte in. Returns whether the run is full. */
static bool window_next(struct window *window, uint8_t byte)
{
	window->bytes = (window->bytes << 8 | byte) & window->mask;
	window->present++;
	return window->present >= window->length;
}

static bool decoded_contains(const struct decoded *decoded, const struct window *wanted,
			     bool without_blanks)
{
	struct window window = window_of(wanted->length);

	for (size_t i = 0; i < decoded->length; i++)
		if (!is_skipped(decoded->bytes[i], without_blanks) &&
		    window_next(&window, decoded->bytes[i]) && window.bytes == wanted->bytes)
			return true;
	return false;
}

static uint32_t filter_place(const struct window *window)
{
	return (uint32_t)(window->bytes * UINT64_C(0x9e3779b97f4a7c15) >> (64 - FILTER_BITS));
}

/* True if a part of the value occurs in `decoded`. The filter makes it one step a byte of the
 * value. */
static bool search(const struct decoded *decoded, const uint8_t *value, size_t length,
		   bool without_blanks)
{
	uint8_t filter[(1 << FILTER_BITS) / 8] = {0};
	struct window window;
	size_t count = 0;
	bool found = false;

	for (size_t i = 0; i < length && count < RUN_LENGTH; i++)
		count += !is_skipped(value[i], without_blanks);
	if (count < RUN_MIN)
		return false;
	window = window_of(count);
	for (size_t i = 0; i < decoded->length; i++)
		if (!is_skipped(decoded->bytes[i], without_blanks) &&
		    window_next(&window, decoded->bytes[i]))
			filter[filter_place(&window) / 8] |=
				(uint8_t)(1 << filter_place(&window) % 8);
	window = window_of(count);
	for (size_t i = 0; i < length && !found; i++)
		if (!is_skipped(value[i], without_blanks) && window_next(&window, value[i]) &&
		    filter[filter_place(&window) / 8] & 1 << filter_place(&window) % 8)
			found = decoded_contains(decoded, &window, without_blanks);
	sodium_memzero(&window, sizeof(window));
	return found;
}

/* The four places at which a quotation may begin within base64's groups of four characters differ
 * in how many bits of the first one belong to a byte that isn't quoted whole. */
static void read_base64(struct decoded *decoded, const struct decoded *words, unsigned dropped_bits)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
	uint32_t bits = 0;
	unsigned count = 0;
	bool begun = false;

	decoded->length = 0;
	for (size_t i = 0; i < words->length; i++) {
		const char *found = words->bytes[i] ? strchr(alphabet, words->bytes[i]) : NULL;
		uint32_t six = found ? (uint32_t)(found - alphabet) : 0;

		if (is_skipped(words->bytes[i], true))
			continue;
		if (!found) {
			begun = false;
			continue;
		}
		six = six >= 64 ? six - 2 : six; /* the URL-safe alphabet's last two */
		if (!begun) {
			begun = true;
			count = 6 - dropped_bits;
			bits = six & ((1u << count) - 1);
			continue;
		}
		bits = bits << 6 | six;
		count += 6;
		if (count >= 8) {
			count -= 8;
			decoded->bytes[decoded->length++] = (uint8_t)(bits >> count);
		}
	}
}

static bool search_variants(const struct decoded *words, const uint8_t *value, size_t length)
{
	struct decoded decoded;
	bool found = search(words, value, length, false) || search(words, value, length, true);

	for (unsigned dropped_bits = 0; dropped_bits < 8 && !found; dropped_bits += 2) {
		read_base64(&decoded, words, dropped_bits);
		found = search(&decoded, value, length, false) ||
			search(&decoded, value, length, true);
		sodium_memzero(&decoded, sizeof(decoded));
	}
	return found;
}

/* Appends the character in UTF-8; half of a surrogate pair like any other. */
static void add_character(struct decoded *decoded, uint32_t code)
{
	static const uint8_t first[] = {0, 0xc0, 0xe0, 0xf0};
	unsigned more = (code >= 0x80) + (code >= 0x800) + (code >= 0x10000);

	decoded->bytes[decoded->length++] = (uint8_t)(first[more] | code >> 6 * more);
	while (more-- > 0)
		decoded->bytes[decoded->length++] = (uint8_t)(0x80 | (code >> 6 * more & 0x3f));
}

/* Reads the escape that begins with the backslash at `text`. Returns how many bytes it has; 0: it
 * is none. */
static size_t read_json_escape(struct decoded *decoded, const uint8_t *text, size_t left)
{
	static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	const char *letter = left > 1 && text[1] ? strchr(letters, text[1]) : NULL;
	int code, low;

	if (letter) {
		add_character(decoded, (uint8_t)bytes[letter - letters]);
		return 2;
	}
	code = left > 1 && text[1] == 'u' ? hex_number(text + 2, left - 2, 4) : -1;
	if (code < 0)
		return 0;
	low = (code & 0xfc00) == 0xd800 && left > 8 && text[6] == '\\' && text[7] == 'u'
		      ? hex_number(text + 8, left - 8, 4)
		      : -1;
	if (low >= 0 && (low & 0xfc00) == 0xdc00) {
		add_character(decoded,
			      0x10000 + ((uint32_t)(code & 0x3ff) << 10 | (uint32_t)(low & 0x3ff)));
		return 12;
	}
	add_character(decoded, (uint32_t)code);
	return 6;
}

static void read_json(struct decoded *decoded, const struct decoded *words)
{
	size_t i = 0;

	while (i < words->length) {
		size_t escape = 0;

		if (words->bytes[i] == '\\')
			escape = read_json_escape(decoded, words->bytes + i, words->length - i);
		if (escape == 0)
			decoded->bytes[decoded->length++] = words->bytes[i++];
		i += escape;
	}
}

static void read_encoded(struct decoded *decoded, const struct decoded *words, uint8_t plus)
{
	for (size_t i = 0; i < words->length; i++) {
		uint8_t byte = words->bytes[i] == '+' ? plus : words->bytes[i];
		int escaped = byte == '%'
				      ? hex_number(words->bytes + i + 1, words->length - i - 1, 2)
				      : -1;

		decoded->bytes[decoded->length++] = escaped >= 0 ? (uint8_t)escaped : byte;
		i += escaped >= 0 ? 2 : 0;
	}
}

static void read_percent(struct decoded *decoded, const struct decoded *words)
{
	read_encoded(decoded, words, '+');
}

static void read_form(struct decoded *decoded, const struct decoded *words)
{
	read_encoded(decoded, words, ' ');
}

static void read_raw(struct decoded *decoded, const struct decoded *words)
{
	*decoded = *words;
}

static bool quotes(const char *text, size_t length, const uint8_t *value, size_t value_length)
{
	static void (*const readers[])(struct decoded *, const struct decoded *) = {
		read_raw,
		read_json,
		read_percent,
		read_form,
	};
	struct decoded words = {.length = length};
	bool found = false;

	memcpy(words.bytes, text, length);
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]) && !found; i++) {
		struct decoded decoded = {0};

		readers[i](&decoded, &words);
		if (i == 0 || decoded.length != words.length ||
		    memcmp(decoded.bytes, words.bytes, words.length) != 0)
			found = search_variants(&decoded, value, value_length);
		sodium_memzero(&decoded, sizeof(decoded));
	}
	sodium_memzero(&words, sizeof(words));
	return found;
}

void failure_redact(struct failure *failure, const uint8_t *value, size_t length)
{
	size_t words = strnlen(failure->message, sizeof(failure->message) - 1);
	size_t request_id = strnlen(failure->request_id, sizeof(failure->request_id) - 1);

	if (words > 0 && quotes(failure->message, words, value, length)) {
		sodium_memzero(failure->message, sizeof(failure->message));
		failure_set_message(failure, CENSORED, strlen(CENSORED));
	}
	if (request_id > 0 && quotes(failure->request_id, request_id, value, length))
		sodium_memzero(failure->request_id, sizeof(failure->request_id));
}
