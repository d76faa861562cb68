#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Time: CLOCK_BOOTTIME in milliseconds for everything that is waited for or grows old (a wrong or
 * jumping wall clock must not matter), wall time only to be shown to people.
 */
#define CLOCK_NEVER UINT64_MAX

/* Milliseconds since boot, suspended time included. */
uint64_t clock_boottime(void);

/* A moment as services send it: nanoseconds since 1970, UTC. TIME_UNKNOWN where none was sent. */
typedef int64_t wall_time_ns;
#define TIME_UNKNOWN INT64_MIN

/* A span of time, both ends included; `to` TIME_UNKNOWN: it is not known. */
struct time_span {
	wall_time_ns from, to;
};

/* True if the time is known, and within the span. */
static inline bool time_span_has(const struct time_span *span, wall_time_ns time)
{
	return time != TIME_UNKNOWN && time >= span->from && time <= span->to;
}
#define NANOSECONDS INT64_C(1000000000)

/* Returns the time of this machine's clock, CLOCK_REALTIME. */
wall_time_ns clock_wall(void);

/* The time that the kernel gives to files that change now, up to a tick behind clock_wall(): what
 * is compared with theirs. To be called once before system calls are filtered. */
wall_time_ns clock_files(void);

/*
 * Reads an RFC 3339 date-time (any number of fractional digits, `Z` or a numeric offset, `T`, `t`
 * or a space between). `length` bytes at `text`, no NUL needed. Returns 0 or -EINVAL; `time` is
 * untouched on failure.
 */
int time_parse_rfc3339(const char *text, size_t length, wall_time_ns *time);

/*
 * The same for what a service writes, which calls it ISO 8601: besides, `,` before the fraction, an
 * offset without its colon or minutes, none at all, which is UTC, and no seconds. Returns 0 or
 * -EINVAL; `time` is untouched on failure.
 */
int time_parse_iso8601(const char *text, size_t length, wall_time_ns *time);

/* Reads an HTTP date in any of its three forms (RFC 9110, 5.6.7). Returns 0 or -EINVAL. */
int time_parse_http(const char *text, wall_time_ns *time);

/* `2026-05-04T10:00:00Z`, whole seconds, cut, not rounded. 21 bytes with the NUL are enough up to
 * year 9999. */
#define TIME_TEXT_SIZE 32
const char *time_format(wall_time_ns time, char text[static TIME_TEXT_SIZE]);
/* The same with milliseconds, cut: `2026-05-04T10:00:00.123Z`. */
const char *time_format_ms(wall_time_ns time, char text[static TIME_TEXT_SIZE]);

/* Reads `90s`, `30m`, `12h`, `7d`; a number without a unit is none. Sets `seconds`, a hundred years
 * at most. Returns 0 or -EINVAL. */
int time_parse_duration(const char *text, uint64_t *seconds);
