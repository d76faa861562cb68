/* The text format of Prometheus (exposition format 0.0.4), and histograms of durations. */
#include "sstorefs/metrics.h"

#include <stddef.h>
#include <string.h>

#include "utf8.h"

/* The longest duration that each bucket takes, milliseconds: Prometheus' usual ones, up to the
 * longest time that an operation may be given. */
static const uint64_t bucket_ends[HISTOGRAM_BUCKETS] = {5,    10,   25,	  50,	 100,	250,  500,
							1000, 2500, 5000, 10000, 30000, 60000};

void histogram_add(struct histogram *histogram, uint64_t milliseconds)
{
	size_t bucket = 0;

	while (bucket < HISTOGRAM_BUCKETS && milliseconds > bucket_ends[bucket])
		bucket++;
	histogram->counts[bucket]++;
	histogram->sum += milliseconds;
}

void metric_introduce(struct buffer *text, const char *name, enum metric_kind kind,
		      const char *help)
{
	static const char *const kinds[] = {[METRIC_COUNTER] = "counter",
					    [METRIC_GAUGE] = "gauge",
					    [METRIC_HISTOGRAM] = "histogram"};

	buffer_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kinds[kind]);
}

void metric_label(struct buffer *labels, const char *name, const char *value)
{
	size_t left = strlen(value);

	buffer_printf(labels, "%s%s=\"", labels->length ? "," : "", name);
	while (left) {
		size_t length = utf8_next(value, left);

		if (!length)
			buffer_printf(labels, "\\\\x%02x", (unsigned)(uint8_t)*value);
		else if (*value == '\n')
			buffer_puts(labels, "\\n");
		else
			buffer_printf(labels, "%s%.*s", *value == '\\' || *value == '"' ? "\\" : "",
				      (int)length, value);
		value += length ? length : 1;
		left -= length ? length : 1;
	}
	buffer_puts(labels, "\"");
}

void metric_sample(struct buffer *text, const char *name, const char *labels, double value)
{
	buffer_printf(text, *labels ? "%s{%s} %.15g\n" : "%s%s %.15g\n", name, labels, value);
}

void metric_histogram(struct buffer *text, const char *name, const char *labels,
		      const struct histogram *histogram)
{
	const char *comma = *labels ? "," : "";
	uint64_t count = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		count += histogram->counts[i];
		buffer_printf(text, "%s_bucket{%s%sle=\"%.15g\"} %llu\n", name, labels, comma,
			      (double)bucket_ends[i] / 1000, (unsigned long long)count);
	}
	count += histogram->counts[HISTOGRAM_BUCKETS];
	buffer_printf(text, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma,
		      (unsigned long long)count);
	buffer_printf(text, *labels ? "%s_sum{%s} %.15g\n" : "%s_sum%s %.15g\n", name, labels,
		      (double)histogram->sum / 1000);
	buffer_printf(text, *labels ? "%s_count{%s} %llu\n" : "%s_count%s %llu\n", name, labels,
		      (unsigned long long)count);
}
