/* Times: the spellings that services send and people type. */
#include "sstorefs/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define MAY_2026 INT64_C(1777888800) /* 2026-05-04T10:00:00Z */

static void test_rfc3339_is_read(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds, nanoseconds;
	} cases[] = {
		{"2026-05-04T10:00:00Z", MAY_2026, 0},
		{"2026-05-04t10:00:00z", MAY_2026, 0},
		{"2026-05-04 10:00:00Z", MAY_2026, 0},
		{"2026-05-04T12:30:00+02:30", MAY_2026, 0},
		{"2026-05-03T23:00:00-11:00", MAY_2026, 0},
		{"2023-11-27T16:04:54.798109645Z", 1701101094, 798109645},
		{"2023-09-21T18:56:32.624632Z", 1695322592, 624632000},
		{"2026-05-04T10:00:00.1234567899999Z", MAY_2026, 123456789},
		{"2026-05-04T09:59:60Z", MAY_2026, 0},
		{"2024-02-29T00:00:00Z", 1709164800, 0},
		{"1970-01-01T00:00:00Z", 0, 0},
		{"1969-12-31T23:59:59.5Z", -1, 500000000},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		wall_time_ns time = TIME_UNKNOWN;

		assert_int_equal(time_parse_rfc3339(cases[i].text, strlen(cases[i].text), &time),
				 0);
		assert_true(time == cases[i].seconds * NANOSECONDS + cases[i].nanoseconds);
	}
}

static void test_what_is_no_rfc3339_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"never",
		"2026-05-04",
		"2026-05-04T10:00:00",
		"2026-05-04T10:00Z",
		"2026-5-04T10:00:00Z",
		"2026-13-04T10:00:00Z",
		"2026-00-04T10:00:00Z",
		"2026-02-29T10:00:00Z",
		"2026-04-31T10:00:00Z",
		"2026-05-00T10:00:00Z",
		"2026-05-04T24:00:00Z",
		"2026-05-04T10:60:00Z",
		"2026-05-04T10:00:61Z",
		"2026-05-04T10:00:00.Z",
		"2026-05-04T10:00:00+2:00",
		"2026-05-04T10:00:00+24:00",
		"2026-05-04T10:00:00+0200",
		"2026-05-04T10:00:00ZZ",
		"2026-05-04T10:00:00Z ",
		" 2026-05-04T10:00:00Z",
		"+026-05-04T10:00:00Z",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		wall_time_ns time = 7;

		assert_int_equal(time_parse_rfc3339(cases[i], strlen(cases[i]), &time), -EINVAL);
		assert_true(time == 7);
	}
}

static void test_services_spell_times_in_more_ways(void **state)
{
	static const char *const spellings[] = {
		"2026-05-04T10:00:00Z",	    "2026-05-04t10:00:00z",	"2026-05-04T10:00:00",
		"2026-05-04 10:00:00",	    "2026-05-04T12:00:00+0200", "2026-05-04T12:00:00+02",
		"2026-05-04T10:00:00,000Z", "2026-05-04T10:00:00.000",	"2026-05-04T04:30:00-05:30",
		"2026-05-04T10:00Z",	    "2026-05-04 10:00",		"2026-05-04T12:00+02:00",
	};
	static const char *const others[] = {
		"",
		"never",
		"2026-05-04",
		"2026-05-04T10",
		"2026-05-04T10:00.0Z",
		"2026-05-04T10:00:",
		"2026-05-04T10:0",
		"2026-05-04T10:00:00+",
		"2026-05-04T10:00:00+2",
		"2026-05-04T10:00:00+020",
		"2026-05-04T10:00:00+02000",
		"2026-05-04T10:00:00,",
		"2026-05-04T10:00:00 Z",
		"2026-02-29T10:00:00",
	};
	wall_time_ns time;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(spellings); i++) {
		assert_int_equal(time_parse_iso8601(spellings[i], strlen(spellings[i]), &time), 0);
		assert_true(time == INT64_C(1777888800) * NANOSECONDS);
	}
	for (i = 0; i < COUNT(others); i++) {
		time = 7;
		assert_int_equal(time_parse_iso8601(others[i], strlen(others[i]), &time), -EINVAL);
		assert_true(time == 7);
	}
}

static void test_no_byte_behind_the_text_is_read(void **state)
{
	static const char text[] = "2026-05-04T10:00:00Z";
	wall_time_ns time;
	size_t length;

	(void)state;
	for (length = 0; length < strlen(text); length++) {
		/* Where a sanitizer sees reads beyond the end. */
		char *exact = malloc(length ? length : 1);

		memcpy(exact, text, length);
		assert_int_equal(time_parse_rfc3339(exact, length, &time), -EINVAL);
		free(exact);
	}
	assert_int_equal(time_parse_rfc3339("2026-05-04T10:00:00Z2026", strlen(text), &time), 0);
	assert_int_equal(time_parse_rfc3339("2026-05-04\0T10:00:00Z", 21, &time), -EINVAL);
}

static void test_years_beyond_what_fits_are_the_last_that_does(void **state)
{
	wall_time_ns time;

	(void)state;
	assert_int_equal(time_parse_rfc3339("9999-12-31T23:59:59Z", 20, &time), 0);
	assert_true(time == INT64_MAX);
	assert_int_equal(time_parse_rfc3339("0001-01-01T00:00:00Z", 20, &time), 0);
	assert_true(time < 0 && time != TIME_UNKNOWN);
}

static void test_http_dates_are_read_in_their_three_forms(void **state)
{
	static const char *const good[] = {
		"Sun, 06 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
		"Sun, 06 Nov 1994 08:49:37 GMT ",
	};
	static const char *const bad[] = {
		"",
		"0",
		"120",
		"06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 CET",
		"Sun, 31 Feb 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT and more",
		"1994-11-06T08:49:37Z",
		"tomorrow",
	};
	wall_time_ns time;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		time = 0;
		assert_int_equal(time_parse_http(good[i], &time), 0);
		assert_true(time == INT64_C(784111777) * NANOSECONDS);
	}
	for (i = 0; i < COUNT(bad); i++) {
		time = 7;
		assert_int_equal(time_parse_http(bad[i], &time), -EINVAL);
		assert_true(time == 7);
	}
}

static void test_times_are_shown_in_whole_seconds_cut(void **state)
{
	char text[TIME_TEXT_SIZE];

	(void)state;
	assert_string_equal(time_format(MAY_2026 * NANOSECONDS, text), "2026-05-04T10:00:00Z");
	assert_string_equal(time_format(MAY_2026 * NANOSECONDS + 999999999, text),
			    "2026-05-04T10:00:00Z");
	assert_string_equal(time_format(-1, text), "1969-12-31T23:59:59Z");
	assert_string_equal(time_format(0, text), "1970-01-01T00:00:00Z");
	time_format(INT64_MAX, text);
	time_format(TIME_UNKNOWN, text);
}

static void test_durations_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} good[] = {{"90s", 90}, {"30m", 1800}, {"12h", 43200}, {"7d", 604800},
		    {"60s", 60}, {"0s", 0},	{"007s", 7}};
	static const char *const bad[] = {"",
					  "60",
					  "0",
					  "s",
					  "-1",
					  "1.5h",
					  "1 h",
					  "1w",
					  "5S",
					  "1h30m",
					  " 1",
					  "18446744073709551616",
					  "99999999999999999999999",
					  "18446744073709551615d",
					  "36526d",
					  "0x10"};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		uint64_t seconds = 1;

		assert_int_equal(time_parse_duration(good[i].text, &seconds), 0);
		assert_true(seconds == good[i].seconds);
	}
	for (i = 0; i < COUNT(bad); i++) {
		uint64_t seconds = 1;

		assert_int_equal(time_parse_duration(bad[i], &seconds), -EINVAL);
		assert_true(seconds == 1);
	}
}

static void test_the_clocks_go_on(void **state)
{
	FILE *uptime = fopen("/proc/uptime", "r");
	uint64_t before = clock_boottime(), after;
	double seconds = 0;

	(void)state;
	assert_non_null(uptime);
	assert_int_equal(fscanf(uptime, "%lf", &seconds), 1);
	fclose(uptime);
	after = clock_boottime();
	/* /proc/uptime is cut to hundredths. */
	assert_in_range((uint64_t)(seconds * 1000), before - 20, after);
	assert_true(clock_wall() > MAY_2026 / 2 * NANOSECONDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc3339_is_read),
		cmocka_unit_test(test_what_is_no_rfc3339_is_refused),
		cmocka_unit_test(test_services_spell_times_in_more_ways),
		cmocka_unit_test(test_no_byte_behind_the_text_is_read),
		cmocka_unit_test(test_years_beyond_what_fits_are_the_last_that_does),
		cmocka_unit_test(test_http_dates_are_read_in_their_three_forms),
		cmocka_unit_test(test_times_are_shown_in_whole_seconds_cut),
		cmocka_unit_test(test_durations_are_read),
		cmocka_unit_test(test_the_clocks_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
