/* The text format of Prometheus, and histograms. */
#include "sstorefs/metrics.h"

#include <stddef.h>

#include "check.h"

static void test_labels_are_escaped_and_utf8(void **state)
{
	static const struct {
		const char *value, *text;
	} rows[] = {
		{"", "name=\"\""},
		{"prod", "name=\"prod\""},
		{"a\"b", "name=\"a\\\"b\""},
		{"a\\b", "name=\"a\\\\b\""},
		{"a\nb", "name=\"a\\nb\""},
		{"\xc3\xbc", "name=\"\xc3\xbc\""},
		{"\xff"
		 "a",
		 "name=\"\\\\xffa\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buffer labels = {0};

		metric_label(&labels, "name", rows[i].value);
		assert_string_equal(buffer_cstr(&labels), rows[i].text);
		metric_label(&labels, "other", "1");
		assert_string_equal(buffer_cstr(&labels) + labels.length - 10, ",other=\"1\"");
		buffer_finish(&labels);
	}
}

static void test_a_histogram_counts_each_duration_in_all_buckets_above_it(void **state)
{
	static const uint64_t durations[] = {0, 5, 6, 60000, 60001};
	struct histogram histogram = {0};
	struct buffer text = {0};

	(void)state;
	for (size_t i = 0; i < sizeof durations / sizeof *durations; i++)
		histogram_add(&histogram, durations[i]);
	metric_histogram(&text, "time", "a=\"b\"", &histogram);
	assert_string_equal(buffer_cstr(&text), "time_bucket{a=\"b\",le=\"0.005\"} 2\n"
						"time_bucket{a=\"b\",le=\"0.01\"} 3\n"
						"time_bucket{a=\"b\",le=\"0.025\"} 3\n"
						"time_bucket{a=\"b\",le=\"0.05\"} 3\n"
						"time_bucket{a=\"b\",le=\"0.1\"} 3\n"
						"time_bucket{a=\"b\",le=\"0.25\"} 3\n"
						"time_bucket{a=\"b\",le=\"0.5\"} 3\n"
						"time_bucket{a=\"b\",le=\"1\"} 3\n"
						"time_bucket{a=\"b\",le=\"2.5\"} 3\n"
						"time_bucket{a=\"b\",le=\"5\"} 3\n"
						"time_bucket{a=\"b\",le=\"10\"} 3\n"
						"time_bucket{a=\"b\",le=\"30\"} 3\n"
						"time_bucket{a=\"b\",le=\"60\"} 4\n"
						"time_bucket{a=\"b\",le=\"+Inf\"} 5\n"
						"time_sum{a=\"b\"} 120.012\n"
						"time_count{a=\"b\"} 5\n");
	buffer_finish(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels_are_escaped_and_utf8),
		cmocka_unit_test(test_a_histogram_counts_each_duration_in_all_buckets_above_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
