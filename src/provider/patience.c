/* What answers say about how long to wait. A provider has no clock: moments are counted from the answer's own Date. */
#include <string.h>

#include "parts.h"

/* More than anybody waits, and far from any overflow. */
#define SECONDS_MAX (INT64_C(365) * 86400)

/* A whole number, saturating at `max`; -1 if `text` is none. */
static int64_t read_count(const char *text, int64_t max)
{
	int64_t number = 0;

	if (!text || !*text || text[strspn(text, "0123456789")])
		return -1;
	for (; *text; text++)
		number = number > max ? number : number * 10 + (*text - '0');
	return number < max ? number : max;
}

static wall_time answer_date(const struct http_answer *answer)
{
	const char *text = http_answer_header(answer, "Date");
	wall_time date = TIME_UNKNOWN;

	if (text)
		time_parse_http(text, &date);
	return date;
}

/* Milliseconds from the answer to `seconds` since 1970; 0 where that is past or can't be known. */
static uint64_t milliseconds_until(const struct http_answer *answer, int64_t seconds)
{
	wall_time date = answer_date(answer);
	int64_t left;

	if (date == TIME_UNKNOWN)
		return 0;
	left = seconds - date / NANOSECONDS;
	if (left <= 0)
		return 0;
	return (uint64_t)(left < SECONDS_MAX ? left : SECONDS_MAX) * 1000;
}

void patience_retry_after(const struct http_answer *answer, struct patience *patience)
{
	const char *text = http_answer_header(answer, "Retry-After");
	int64_t seconds = read_count(text, SECONDS_MAX);
	wall_time moment;

	if (seconds >= 0)
		patience->wait_ms = (uint64_t)seconds * 1000;
	else if (text && time_parse_http(text, &moment) == 0)
		patience->wait_ms = milliseconds_until(answer, moment / NANOSECONDS);
}

void patience_budget(const struct http_answer *answer, struct patience *patience, const char *remaining,
		     const char *reset)
{
	int64_t moment = read_count(http_answer_header(answer, reset), INT64_MAX / 100);

	patience->remaining = read_count(http_answer_header(answer, remaining), INT64_MAX / 100);
	if (moment >= 0)
		patience->resets_in_ms = milliseconds_until(answer, moment);
}
