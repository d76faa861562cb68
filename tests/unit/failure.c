/* Failures: what a message contains, and what no message may contain. */
#include "sstorefs/failure.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sstorefs/name.h"

static void test_setting_keeps_status_and_request_id(void **state)
{
	struct failure failure = {.http_status = 404, .request_id = "abc"};

	(void)state;
	assert_int_equal(failure_set(&failure, ENOENT, "no %s here\n", "store"), -ENOENT);
	assert_int_equal(failure.errnum, ENOENT);
	assert_int_equal(failure.http_status, 404);
	assert_string_equal(failure.request_id, "abc");
	assert_string_equal(failure.message, "no store here");
}

static void test_messages_are_one_line_of_text(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		/* An empty text replaces nothing. */
		{"", "old"},
		{" \n\n\t", "old"},
		/* Characters that are invisible or change how others are shown are escaped. */
		{"\x01\x1b\xc2\x9b", "\\u0001\\u001b\\u009b"},
		{"plain", "plain"},
		{"  two \r\n\t lines\n", "two lines"},
		{"bell\x07 and \x1b[31mred", "bell\\u0007 and \\u001b[31mred"},
		{"c1 \xc2\x9b here\xc2\x85", "c1 \\u009b here\\u0085"},
		{"line\xe2\x80\xa8separator", "line\\u2028separator"},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"bad \xff byte", "bad \\xff byte"},
		{"\xe2\x80\xae"
		 "desrever",
		 "\\u202edesrever"},
		{"tag \xf3\xa0\x80\x81", "tag \\udb40\\udc01"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct failure failure = {.message = "old"};

		failure_set_message(&failure, cases[i].text, strlen(cases[i].text));
		assert_string_equal(failure.message, cases[i].message);
	}
}

static void test_long_messages_are_cut_at_whole_characters(void **state)
{
	size_t before;

	(void)state;
	for (before = 500; before < 520; before++) {
		struct failure failure = {0};
		char text[600];

		memset(text, 'x', before);
		memcpy(text + before, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 8);
		failure_set_message(&failure, text, before + 8);
		assert_true(strlen(failure.message) < sizeof(failure.message));
		assert_true(utf8_is_valid(failure.message, strlen(failure.message)));
		assert_true(strlen(failure.message) > sizeof(failure.message) - 5);
	}
}

static void test_errnos_have_names(void **state)
{
	(void)state;
	assert_string_equal(failure_errno_name(EACCES), "EACCES");
	assert_string_equal(failure_errno_name(EKEYREJECTED), "EKEYREJECTED");
	assert_string_equal(failure_errno_name(1234), "E1234");
}

/* Returns true if `message` is dropped because of `value`. */
static bool is_redacted(const char *message, const void *value, size_t length)
{
	struct failure failure = {.errnum = EINVAL, .http_status = 400};

	failure_set_message(&failure, message, strlen(message));
	failure_redact(&failure, value, length);
	assert_int_equal(failure.errnum, EINVAL);
	if (strstr(failure.message, "quoted the value"))
		return true;
	/* Either all or nothing. */
	assert_int_equal(strncmp(failure.message, message, 10), 0);
	return false;
}

#define IS_REDACTED(message, value) is_redacted(message, value, strlen(value))

static void test_a_value_in_a_message_drops_it(void **state)
{
	(void)state;
	assert_true(IS_REDACTED("invalid secret: hunter2hunter2", "hunter2hunter2"));
	assert_true(IS_REDACTED("invalid secret: ...r2hunter...", "hunter2hunter2"));
	assert_true(IS_REDACTED("hunter2hunter2 is no good secret", "hunter2hunter2"));
	assert_false(IS_REDACTED("invalid secret: 2hunter is bad", "hunter2hunter2"));
	assert_false(IS_REDACTED("invalid secret: HUNTER2HUNTER2", "hunter2hunter2"));
	assert_false(IS_REDACTED("Bad Request: duplicate: name", "hunter2hunter2"));
}

static void test_short_values_count_whole_and_very_short_ones_not(void **state)
{
	(void)state;
	assert_true(IS_REDACTED("invalid secret: pass", "pass"));
	assert_true(IS_REDACTED("invalid secret: passwor", "passwor"));
	assert_false(IS_REDACTED("invalid secret: passwo", "passwor"));
	assert_false(IS_REDACTED("invalid secret: pas", "pas"));
	assert_false(IS_REDACTED("invalid secret: ", ""));
}

static void test_line_ends_do_not_hide_a_value(void **state)
{
	(void)state;
	assert_true(IS_REDACTED("invalid secret: hunter2", "hunter2\n"));
	assert_true(IS_REDACTED("invalid secret: ab\ncd\nef\ngh\nij", "ab\ncd\nef\ngh\nij\n"));
	assert_true(IS_REDACTED("invalid secret: abcd efgh", "abcd efgh"));
	assert_true(IS_REDACTED("invalid secret: abc def", "abc\tdef"));
	assert_false(IS_REDACTED("invalid secret: a b c", "a\nb\nc\n"));
}

static void test_base64_of_any_part_is_found(void **state)
{
	static const char value[] = "correct horse battery staple";
	char text[128], message[256];
	size_t begin, cut;

	(void)state;
	for (begin = 0; begin + 11 <= strlen(value); begin++) {
		sodium_bin2base64(text, sizeof(text), (const uint8_t *)value + begin,
				  strlen(value) - begin, sodium_base64_VARIANT_ORIGINAL);
		snprintf(message, sizeof(message), "bad secret \"%s\" (it said)", text);
		assert_true(IS_REDACTED(message, value));
		/* And when the quotation begins amid a group. */
		for (cut = 0; cut < 4; cut++) {
			snprintf(message, sizeof(message), "bad secret '%.*s'", 16, text + cut);
			if (strlen(text) >= cut + 16)
				assert_true(IS_REDACTED(message, value));
		}
	}
	assert_true(IS_REDACTED("bad secret: Y29yc\nmVjdC\nBob3J\nz", value));
}

static void test_base64_of_bytes_is_found_in_both_alphabets(void **state)
{
	static const uint8_t value[] = {0xfb, 0xff, 0xbf, 0xfb, 0xff, 0xbf, 0x3e, 0x3f, 0xff, 0xfe};
	const int variants[] = {sodium_base64_VARIANT_ORIGINAL,
				sodium_base64_VARIANT_URLSAFE_NO_PADDING};
	char text[64], message[128];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(variants); i++) {
		sodium_bin2base64(text, sizeof(text), value, sizeof(value), variants[i]);
		snprintf(message, sizeof(message), "invalid: %s", text);
		assert_true(is_redacted(message, value, sizeof(value)));
	}
	assert_true(is_redacted("escaped: +\\/+\\/+\\/+\\/Pj\\/\\/\\/g==", value, sizeof(value)));
	assert_true(is_redacted("in a form: %2b%2F%2b%2F%2b%2F%2b%2FPj%2F%2F%2Fg", value,
				sizeof(value)));
}

static void test_escaped_values_are_found(void **state)
{
	(void)state;
	assert_true(IS_REDACTED("got {\\\"a\\\":\\\"b\\\"}", "{\"a\":\"b\"}"));
	assert_true(IS_REDACTED("got line1\\nx\\ty\\\\z", "line1\nx\ty\\z"));
	assert_true(IS_REDACTED("got gr\\u00fc\\u00dfe aus K", "gr\xc3\xbc\xc3\x9f"
							       "e aus K"));
	assert_true(IS_REDACTED("got \\ud83d\\ude00\\uD83D\\uDE00",
				"\xf0\x9f\x98\x80\xf0\x9f\x98\x80"));
	assert_true(IS_REDACTED("payload=p%40ss%2Fw%C3%B6rd%21", "p@ss/w\xc3\xb6rd!"));
	assert_true(IS_REDACTED("payload=p%40ss%2fw%c3%b6rd%21", "p@ss/w\xc3\xb6rd!"));
	assert_true(IS_REDACTED("payload=a+b%26c+d%3De", "a b&c d=e"));
	assert_true(IS_REDACTED("payload=a+b%26c+d%3De", "a+b&c+d=e"));
	assert_false(IS_REDACTED("payload=\\u12 \\ud83d \\q %4 %zz %", "another value"));
}

static void test_a_large_value_is_searched_to_its_end(void **state)
{
	uint8_t *value = malloc(65536);
	char message[64];

	(void)state;
	randombytes_buf_deterministic(value, 65536, (const uint8_t[randombytes_SEEDBYTES]){0});
	memcpy(value + 65528, "the tail", 8);
	assert_true(is_redacted("invalid: the tail", value, 65536));
	assert_false(is_redacted("invalid: the tai1", value, 65536));
	snprintf(message, sizeof(message), "invalid: ");
	sodium_bin2base64(message + 9, sizeof(message) - 9, value + 30001, 20,
			  sodium_base64_VARIANT_ORIGINAL);
	assert_true(is_redacted(message, value, 65536));
	free(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_setting_keeps_status_and_request_id),
		cmocka_unit_test(test_messages_are_one_line_of_text),
		cmocka_unit_test(test_long_messages_are_cut_at_whole_characters),
		cmocka_unit_test(test_errnos_have_names),
		cmocka_unit_test(test_a_value_in_a_message_drops_it),
		cmocka_unit_test(test_short_values_count_whole_and_very_short_ones_not),
		cmocka_unit_test(test_line_ends_do_not_hide_a_value),
		cmocka_unit_test(test_base64_of_any_part_is_found),
		cmocka_unit_test(test_base64_of_bytes_is_found_in_both_alphabets),
		cmocka_unit_test(test_escaped_values_are_found),
		cmocka_unit_test(test_a_large_value_is_searched_to_its_end),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
