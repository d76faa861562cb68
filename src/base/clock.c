/* Reads the clocks, parses and prints times in the forms that services and people use. */
#include "sstorefs/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

uint64_t clock_boottime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static wall_time_ns time_of(const struct timespec *time)
{
	return (wall_time_ns)time->tv_sec * NANOSECONDS + time->tv_nsec;
}

static wall_time_ns wall_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return time_of(&now);
}

wall_time_ns clock_wall(void)
{
	return wall_of(CLOCK_REALTIME);
}

/*
 * No clock tells it since Linux 6.13: files that were looked at get finer times than a tick, and
 * what changes after them is never older. So a file of our own is changed and looked at.
 */
wall_time_ns clock_files(void)
{
	static int file =
		-2; /* not tried; a filter of system calls may forbid it, once and for all */
	struct stat status;

	if (file == -2)
		file = memfd_create("sstorefs-clock", MFD_CLOEXEC);
	if (file < 0 || futimens(file, NULL) || fstat(file, &status))
		return wall_of(CLOCK_REALTIME_COARSE);
	return time_of(&status.st_mtim);
}

/* Seconds since 1970 as a moment; what 64 bits can't hold becomes the nearest they can: services
 * write year 1 for "not set" and year 9999 for "never". */
static wall_time_ns time_from_seconds(int64_t seconds, int64_t nanoseconds)
{
	wall_time_ns time;

	if (!__builtin_mul_overflow(seconds, NANOSECONDS, &time) &&
	    !__builtin_add_overflow(time, nanoseconds, &time) && time != TIME_UNKNOWN)
		return time;
	return seconds < 0 ? TIME_UNKNOWN + 1 : INT64_MAX;
}

/* Seconds since 1970, or -EINVAL in `failed` for a day that its month does not have. Second 60 is
 * taken for the next one's 0. */
static int64_t seconds_of(const struct tm *date, int *failed)
{
	struct tm day = {
		.tm_year = date->tm_year, .tm_mon = date->tm_mon, .tm_mday = date->tm_mday};
	int64_t seconds = timegm(&day);

	*failed =
		day.tm_mon == date->tm_mon ? 0 : -EINVAL; /* timegm has gone on to the next month */
	return seconds + date->tm_hour * 3600 + date->tm_min * 60 + date->tm_sec;
}

/* Reads a text in the form of `shape`, in which each row of zeros means a number, and T for `t`
 * or a space too. Adds the digits to `numbers`. Returns what follows; NULL: it has another form. */
static const char *read_shape(const char *text, const char *end, const char *shape, int *numbers)
{
	for (; *shape; shape++, text++) {
		if (text == end)
			return NULL;
		if (*shape == '0' && *text >= '0' && *text <= '9')
			*numbers = *numbers * 10 + (*text - '0');
		else if (*text == *shape || (*shape == 'T' && (*text == 't' || *text == ' ')))
			numbers++;
		else
			return NULL;
	}
	return text;
}

/* Reads `Z`, or how many seconds east of Greenwich. Returns 0 or -EINVAL. */
static int read_offset(const char *text, const char *end, bool lenient, int *seconds)
{
	int hours = 0, minutes = 0;
	bool west = text < end && *text == '-';

	*seconds = 0;
	if (text == end)
		return lenient ? 0 : -EINVAL;
	if (end - text == 1 && (*text == 'Z' || *text == 'z'))
		return 0;
	if (!west && *text != '+')
		return -EINVAL;
	text = read_shape(text + 1, end, "00", &hours);
	if (text && text < end && *text == ':')
		text++;
	else if (!lenient)
		return -EINVAL;
	if (text && (!lenient || text < end))
		text = read_shape(text, end, "00", &minutes);
	if (text != end || hours > 23 || minutes > 59)
		return -EINVAL;
	*seconds = (hours * 60 + minutes) * (west ? -60 : 60);
	return 0;
}

/* `lenient`: ISO 8601, as programs write it. */
static int read_time(const char *text, size_t length, bool lenient, wall_time_ns *time)
{
	const char *end = text + length;
	int date[6] = {0}, offset, failed;
	int64_t nanoseconds = 0, seconds;
	bool has_seconds;

	text = read_shape(text, end, "0000-00-00T00:00", date);
	has_seconds = !lenient || (text && text < end && *text == ':');
	if (text && has_seconds)
		text = read_shape(text, end, ":00", &date[4]);
	if (!text || date[3] > 23 || date[4] > 59 || date[5] > 60)
		return -EINVAL;
	if (has_seconds && text < end && (*text == '.' || (lenient && *text == ','))) {
		int64_t unit = NANOSECONDS / 10;
		const char *fraction = ++text;

		for (; text < end && *text >= '0' && *text <= '9'; text++, unit /= 10)
			nanoseconds += (*text - '0') * unit;
		if (text == fraction)
			return -EINVAL;
	}
	failed = read_offset(text, end, lenient, &offset);
	if (failed)
		return failed;
	seconds = seconds_of(&(const struct tm){.tm_year = date[0] - 1900,
						.tm_mon = date[1] - 1,
						.tm_mday = date[2],
						.tm_hour = date[3],
						.tm_min = date[4],
						.tm_sec = date[5]},
			     &failed);
	if (!failed)
		*time = time_from_seconds(seconds - offset, nanoseconds);
	return failed;
}

int time_parse_rfc3339(const char *text, size_t length, wall_time_ns *time)
{
	return read_time(text, length, false, time);
}

int time_parse_iso8601(const char *text, size_t length, wall_time_ns *time)
{
	return read_time(text, length, true, time);
}

int time_parse_http(const char *text, wall_time_ns *time)
{
	/* RFC 9110, 5.6.7: the preferred form and the two obsolete ones. Nothing here calls
	 * setlocale, so that names are English. */
	static const char *const formats[] = {
		"%a, %d %b %Y %H:%M:%S GMT",
		"%A, %d-%b-%y %H:%M:%S GMT",
		"%a %b %d %H:%M:%S %Y",
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm date = {0};
		const char *end = strptime(text, formats[i], &date);
		int64_t seconds;
		int failed;

		if (!end || end[strspn(end, " \t")])
			continue;
		seconds = seconds_of(&date, &failed);
		if (!failed)
			*time = time_from_seconds(seconds, 0);
		return failed;
	}
	return -EINVAL;
}

const char *time_format_ms(wall_time_ns time, char text[static TIME_TEXT_SIZE])
{
	unsigned milliseconds =
		(unsigned)((time % NANOSECONDS + NANOSECONDS) % NANOSECONDS / 1000000);

	time_format(time, text);
	/* Over the Z. */
	sprintf(text + strlen(text) - 1, ".%03uZ", milliseconds);
	return text;
}

const char *time_format(wall_time_ns time, char text[static TIME_TEXT_SIZE])
{
	/* Cut means towards the past, before 1970 too. */
	time_t seconds = time / NANOSECONDS - (time % NANOSECONDS < 0);
	struct tm date;

	gmtime_r(&seconds, &date);
	strftime(text, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &date);
	return text;
}

/* A hundred years: from any day on that is a moment that can be told in nanoseconds. */
#define DURATION_MAX (UINT64_C(36525) * 86400)

int time_parse_duration(const char *text, uint64_t *seconds)
{
	static const struct {
		const char *unit;
		uint64_t seconds;
	} units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	char *unit;
	uint64_t number =
		strtoull(text, &unit, 10); /* the largest there is, where that is too small */

	if (*text < '0' || *text > '9')
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(unit, units[i].unit) == 0 &&
		    !__builtin_mul_overflow(number, units[i].seconds, &number) &&
		    number <= DURATION_MAX) {
			*seconds = number;
			return 0;
		}
	return -EINVAL;
}
