/* Names: one spelling for each, and a way back. */
#include "sstorefs/name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static const struct {
	const char *raw;
	size_t length;
	const char *displayed;
} names[] = {
	{"NAME", 4, "NAME"},
	{".env", 4, ".env"},
	{".", 1, "%2E"},
	{"..", 2, "%2E%2E"},
	{"...", 3, "..."},
	{".sstorefs", 9, "%2Esstorefs"},
	{".sstorefs2", 10, ".sstorefs2"},
	{"a/b", 3, "a%2Fb"},
	{"/", 1, "%2F"},
	{"a\0b", 3, "a%00b"},
	{"\n\t\x1f\x7f", 4, "%0A%09%1F%7F"},
	{"%", 1, "%"},
	{"100%", 4, "100%"},
	{"%4", 2, "%4"},
	{"%zz", 3, "%zz"},
	{"%41", 3, "%2541"},
	{"%2f", 3, "%252f"},
	{"%2F", 3, "%252F"},
	{"%%41", 4, "%%2541"},
	{"%2541", 5, "%252541"},
	{"%/", 2, "%%2F"},
	{"%2/", 3, "%2%2F"},
	{"%%%", 3, "%%%"},
	{"%%2F", 4, "%%252F"},
	{"caf\xc3\xa9 \xf0\x9f\x98\x80", 10, "caf\xc3\xa9 \xf0\x9f\x98\x80"},
	{" ", 1, " "},
};

static void test_names_have_one_spelling_and_a_way_back(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(names); i++) {
		struct buffer displayed = {0}, raw = {0};

		assert_int_equal(name_display(&displayed, names[i].raw, names[i].length), 0);
		assert_string_equal(buffer_cstr(&displayed), names[i].displayed);
		assert_true(name_is_canonical(names[i].displayed));
		assert_int_equal(name_decode(&raw, names[i].displayed), 0);
		assert_int_equal(raw.length, names[i].length);
		assert_memory_equal(raw.data, names[i].raw, raw.length);
		buffer_finish(&displayed);
		buffer_finish(&raw);
	}
}

static void test_other_spellings_do_not_exist(void **state)
{
	static const char *const others[] = {
		"",	  ".",	       "..",   ".sstorefs", "a/b",  "a%2fb", "%41",  "%2e",
		"%2Eenv", "%2E.",      ".%2E", "%2E%2E%2E", "\n",   "%0a",   "\x7f", "%2Esstorefs2",
		"%20",	  "%25",       "%254", "%25zz",	    "\xff", "%FF",   "\xc3", "%C3",
		"%C3%A9", "%ED%A0%80",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(others); i++) {
		struct buffer raw = {0};

		assert_false(name_is_canonical(others[i]));
		assert_int_equal(name_decode(&raw, others[i]), -EINVAL);
		assert_int_equal(raw.length, 0);
		buffer_finish(&raw);
	}
}

static void test_what_can_not_be_shown_says_why(void **state)
{
	struct buffer displayed = {0};
	char text[NAME_LENGTH_MAX + 1];

	(void)state;
	memset(text, 'x', sizeof(text));
	buffer_puts(&displayed, "before");
	assert_int_equal(name_display(&displayed, "", 0), -EINVAL);
	assert_int_equal(name_display(&displayed, "\xff", 1), -EILSEQ);
	assert_int_equal(name_display(&displayed, "\xc0\xaf", 2), -EILSEQ);
	assert_int_equal(name_display(&displayed, text, NAME_LENGTH_MAX + 1), -ENAMETOOLONG);
	text[0] = '/';
	assert_int_equal(name_display(&displayed, text, NAME_LENGTH_MAX - 1), -ENAMETOOLONG);
	assert_string_equal(buffer_cstr(&displayed), "before");
	buffer_clear(&displayed);
	assert_int_equal(name_display(&displayed, text, NAME_LENGTH_MAX - 2), 0);
	assert_int_equal(displayed.length, NAME_LENGTH_MAX);
	assert_true(name_is_canonical(buffer_cstr(&displayed)));
	buffer_finish(&displayed);
}

static void test_a_displayed_name_is_at_most_255_bytes(void **state)
{
	char text[NAME_LENGTH_MAX + 2];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[NAME_LENGTH_MAX] = '\0';
	assert_true(name_is_canonical(text));
	text[NAME_LENGTH_MAX] = 'x';
	text[NAME_LENGTH_MAX + 1] = '\0';
	assert_false(name_is_canonical(text));
}

static int compare(const void *one, const void *other)
{
	return strcmp(one, other);
}

/* Every name of up to four bytes out of those that matter. */
static void test_no_two_names_look_the_same(void **state)
{
	static const char bytes[] = "%2E.f/";
	char seen[1600][16] = {{0}};
	size_t count = 0, length, number, i, all;

	(void)state;
	for (length = 1; length <= 4; length++) {
		for (i = 0, all = 1; i < length; i++)
			all *= strlen(bytes);
		for (number = 0; number < all; number++) {
			char raw[4];
			size_t rest = number;
			struct buffer displayed = {0}, back = {0};

			for (i = 0; i < length; i++, rest /= strlen(bytes))
				raw[i] = bytes[rest % strlen(bytes)];
			assert_int_equal(name_display(&displayed, raw, length), 0);
			assert_int_equal(name_decode(&back, buffer_cstr(&displayed)), 0);
			assert_int_equal(back.length, length);
			assert_memory_equal(back.data, raw, length);
			assert_null(strchr(buffer_cstr(&displayed), '/'));
			strcpy(seen[count++], buffer_cstr(&displayed));
			buffer_finish(&displayed);
			buffer_finish(&back);
		}
	}
	qsort(seen, count, sizeof(seen[0]), compare);
	for (i = 1; i < count; i++)
		assert_string_not_equal(seen[i - 1], seen[i]);
}

static void test_utf8_is_distinguished_from_other_bytes(void **state)
{
	static const struct {
		const char *text;
		size_t length, characters;
	} good[] = {
		{"", 0, 0},
		{"a\0b", 3, 3},
		{"\xc2\x80", 2, 1},
		{"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80", 9, 3},
		{"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8, 2},
	};
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2",
		"\xc2\x41",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf",
		"\xe2\x82",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xf0\x9f\x98",
		"\xff",
		"ok\xfe",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		assert_true(utf8_is_valid(good[i].text, good[i].length));
		assert_int_equal(utf8_length(good[i].text, good[i].length), good[i].characters);
	}
	for (i = 0; i < COUNT(bad); i++)
		assert_false(utf8_is_valid(bad[i], strlen(bad[i])));
}

/* Every way to cut a text in two: what has come is whole characters and the beginning of one more,
 * and nothing else. */
static void test_text_that_comes_in_pieces_is_begun(void **state)
{
	static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91z";
	static const size_t whole[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
	static const char *const never[] = {"\x80",	"\xff",	    "a\xc0",	"\xe0\x80",
					    "\xed\xa0", "\xf4\x90", "\xe2\x82z"};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(whole); i++) {
		assert_true(utf8_is_prefix(text, i));
		assert_int_equal(utf8_valid_prefix(text, i), whole[i]);
	}
	for (i = 0; i < COUNT(never); i++)
		assert_false(utf8_is_prefix(never[i], strlen(never[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_have_one_spelling_and_a_way_back),
		cmocka_unit_test(test_other_spellings_do_not_exist),
		cmocka_unit_test(test_what_can_not_be_shown_says_why),
		cmocka_unit_test(test_a_displayed_name_is_at_most_255_bytes),
		cmocka_unit_test(test_no_two_names_look_the_same),
		cmocka_unit_test(test_utf8_is_distinguished_from_other_bytes),
		cmocka_unit_test(test_text_that_comes_in_pieces_is_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
