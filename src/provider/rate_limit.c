/*
 * Reads from headers how long to wait. A provider has no clock: times are counted from the
 * response's own Date.
 */
#include <stdlib.h>
#include <string.h>

#include "provider_internal.h"

/* A year: more than any wait, and far from any overflow. */
#define SECONDS_MAX (INT64_C(365) * 86400)

int64_t count_from_text(const char *text, int64_t max)
{
	int64_t number;

	if (!text || !*text || text[strspn(text, "0123456789")])
		return -1;
	number = strtoll(text, NULL, 10); /* the largest there is, where that is too small */
	return number < max ? number : max;
}

static wall_time_ns response_date(const struct http_response *response)
{
	const char *text = http_response_header(response, "Date");
	wall_time_ns date = TIME_UNKNOWN;

	if (text)
		time_parse_http(text, &date);
	return date;
}

/* Milliseconds from the response to `seconds` since 1970; 0 where that is past or unknown. */
static uint64_t milliseconds_until(const struct http_response *response, int64_t seconds)
{
	wall_time_ns date = response_date(response);
	int64_t left;

	if (date == TIME_UNKNOWN)
		return 0;
	left = seconds - date / NANOSECONDS;
	if (left <= 0)
		return 0;
	return (uint64_t)(left < SECONDS_MAX ? left : SECONDS_MAX) * 1000;
}

bool rate_limit_from_retry_after(const struct http_response *response, struct rate_limit *limit)
{
	const char *text = http_response_header(response, "Retry-After");
	int64_t seconds = count_from_text(text, SECONDS_MAX);
	wall_time_ns moment;

	*limit = (struct rate_limit){.remaining = -1};
	if (seconds >= 0)
		limit->wait_ms = (uint64_t)seconds * 1000;
	else if (text && time_parse_http(text, &moment) == 0 &&
		 response_date(response) != TIME_UNKNOWN)
		limit->wait_ms = milliseconds_until(response, moment / NANOSECONDS);
	else
		return false;
	return true;
}

void rate_limit_from_counters(const struct http_response *response, struct rate_limit *limit,
			      const char *remaining, const char *reset)
{
	int64_t moment = count_from_text(http_response_header(response, reset), INT64_MAX / 100);

	limit->remaining =
		count_from_text(http_response_header(response, remaining), INT64_MAX / 100);
	if (moment >= 0)
		limit->resets_in_ms = milliseconds_until(response, moment);
}

/* One item of a Ratelimit header. */
struct limit {
	int64_t remaining, seconds; /* -1: it doesn't say */
};

/* Behind a quoted string, of which `at` is the first quote. */
static const char *skip_string(const char *at)
{
	for (at++; *at && *at != '"'; at++)
		if (*at == '\\' && at[1])
			at++;
	return *at ? at + 1 : at;
}

/* Takes in `r=` and `t=` where a parameter begins at `at`. */
static void read_parameter(const char *at, struct limit *item)
{
	int64_t *number = *at == 'r' ? &item->remaining : *at == 't' ? &item->seconds : NULL;
	size_t length = at[0] && at[1] == '=' ? strspn(at + 2, "0123456789") : 0;
	char digits[24];

	if (!number || length == 0 || length >= sizeof(digits))
		return;
	memcpy(digits, at + 2, length);
	digits[length] = '\0';
	*number = count_from_text(digits, INT64_MAX / 100);
}

/* Reads one item of the list; returns where the next one begins. */
static const char *read_item(const char *at, struct limit *item)
{
	*item = (struct limit){-1, -1};
	while (*at && *at != ',') {
		if (*at == '"') {
			at = skip_string(at);
			continue;
		}
		if (*at++ == ';')
			read_parameter(at + strspn(at, " \t"), item);
	}
	return *at ? at + 1 : at;
}

/* Takes over the lowest of the limits in one line. */
static void read_items(const char *at, struct rate_limit *limit)
{
	struct limit item;

	while (*at) {
		at = read_item(at, &item);
		if (item.remaining < 0 ||
		    (limit->remaining >= 0 && item.remaining >= limit->remaining))
			continue;
		limit->remaining = item.remaining;
		item.seconds = item.seconds < SECONDS_MAX ? item.seconds : SECONDS_MAX;
		limit->resets_in_ms = item.seconds > 0 ? (uint64_t)item.seconds * 1000 : 0;
	}
}

void rate_limit_from_ratelimit(const struct http_response *response, struct rate_limit *limit,
			       const char *header)
{
	const char *line = NULL;

	while ((line = http_response_header_next(response, header, line)))
		read_items(line, limit);
}
