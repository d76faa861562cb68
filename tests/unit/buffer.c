/* Buffers: what a row of appends ends in. */
#include "sstorefs/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static void test_an_empty_buffer_is_an_empty_string(void **state)
{
	struct buffer buffer = {0};

	(void)state;
	assert_string_equal(buffer_cstr(&buffer), "");
	assert_int_equal(buffer_error(&buffer), 0);
	buffer_append(&buffer, NULL, 0);
	assert_string_equal(buffer_cstr(&buffer), "");
	buffer_finish(&buffer);
	buffer_finish(&buffer);
}

static void test_appends_add_up_and_end_with_a_nul(void **state)
{
	struct buffer buffer = {0};
	size_t i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		buffer_puts(&buffer, "ab");
		buffer_printf(&buffer, "%zu,", i % 10);
		buffer_append(&buffer, "\0z", 2);
		assert_int_equal(buffer.length, (i + 1) * 6);
		assert_int_equal(buffer.data[buffer.length], '\0');
		assert_true(buffer.size > buffer.length);
	}
	assert_memory_equal(buffer.data + 5994, "ab9,\0z", 6);
	buffer_clear(&buffer);
	assert_int_equal(buffer.length, 0);
	assert_string_equal(buffer_cstr(&buffer), "");
	buffer_finish(&buffer);
}

static void test_a_long_printf_is_not_cut(void **state)
{
	struct buffer buffer = {0};
	char *text = malloc(10001);

	(void)state;
	memset(text, 'x', 10000);
	text[10000] = '\0';
	buffer_printf(&buffer, "<%s>", text);
	assert_int_equal(buffer.length, 10002);
	assert_int_equal(buffer.data[10001], '>');
	free(text);
	buffer_finish(&buffer);
}

static void test_no_memory_is_remembered(void **state)
{
	struct buffer buffer = {0};

	(void)state;
	buffer_puts(&buffer, "kept");
	buffer_append(&buffer, "", SIZE_MAX);
	assert_int_equal(buffer_error(&buffer), -ENOMEM);
	buffer_puts(&buffer, " and nothing more");
	assert_string_equal(buffer_cstr(&buffer), "kept");
	buffer_clear(&buffer);
	assert_int_equal(buffer_error(&buffer), 0);
	buffer_finish(&buffer);
}

static void test_percent_encodes_all_but_the_unreserved(void **state)
{
	struct buffer buffer = {0};

	(void)state;
	buffer_percent_encode(&buffer, "azAZ09-._~ /%+&=?#\0\xc3\xa9\x7f", 22);
	assert_string_equal(buffer_cstr(&buffer), "azAZ09-._~%20%2F%25%2B%26%3D%3F%23%00%C3%A9%7F");
	buffer_finish(&buffer);
}

static void test_json_strings_are_quoted_escaped_and_utf8(void **state)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{"", "\"\""},
		{"plain", "\"plain\""},
		{"\"\\\b\f\n\r\t/", "\"\\\"\\\\\\b\\f\\n\\r\\t/\""},
		{"\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\""},
		{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		 "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
		{"\xc2\x85\xe2\x80\xae", "\"\\u0085\\u202e\""},
		{"a\xff\xc3", "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct buffer buffer = {0};

		buffer_json_string(&buffer, cases[i].text);
		assert_string_equal(buffer_cstr(&buffer), cases[i].json);
		buffer_finish(&buffer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_buffer_is_an_empty_string),
		cmocka_unit_test(test_appends_add_up_and_end_with_a_nul),
		cmocka_unit_test(test_a_long_printf_is_not_cut),
		cmocka_unit_test(test_no_memory_is_remembered),
		cmocka_unit_test(test_percent_encodes_all_but_the_unreserved),
		cmocka_unit_test(test_json_strings_are_quoted_escaped_and_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
