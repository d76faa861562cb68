#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sstorefs/buffer.h"

/*
 * The text format 0.0.4 of Prometheus, and the histograms that are printed in it.
 */

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* How many durations there were, by their length; 5 ms to 60 s, as histogram_add() sorts them. */
#define HISTOGRAM_BUCKETS 13
struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS + 1]; /* the last is of those that fit in no bucket */
	uint64_t sum;				/* milliseconds */
};

/* Adds a duration of `milliseconds`. */
void histogram_add(struct histogram *histogram, uint64_t milliseconds);

/* Appends the two lines that introduce a metric; its samples must follow. `help` is one line
 * without a backslash. */
void metric_introduce(struct buffer *text, const char *name, enum metric_kind kind,
		      const char *help);

/* Appends `NAME="VALUE"` to `labels`, with a comma before it unless it is the first. The value is
 * escaped as the format wants it; bytes that are not UTF-8 are shown as `\xNN`. */
void metric_label(struct buffer *labels, const char *name, const char *value);

/* Appends a sample with `labels` as metric_label() made them; "" for none. */
void metric_sample(struct buffer *text, const char *name, const char *labels, double value);

/* Appends the samples of a histogram: buckets (`le` in seconds), sum and count. */
void metric_histogram(struct buffer *text, const char *name, const char *labels,
		      const struct histogram *histogram);
