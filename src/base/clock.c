/* Reads the clocks, parses and prints times in the forms that services and people use. */
#include "sstorefs/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t clock_boottime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static wall_time_ns wall_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (wall_time_ns)now.tv_sec * NANOSECONDS + now.tv_nsec;
}

wall_time_ns clock_wall(void)
{
	return wall_of(CLOCK_REALTIME);
}

wall_time_ns clock_files(void)
{
	return wall_of(CLOCK_REALTIME_COARSE);
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

/* A text that is read from its front. `bad` stays set once something did not fit. */
struct reader {
	const char *text, *end;
	bool lenient; /* ISO 8601, as programs write it */
	bool bad;
};

static bool read_any(struct reader *reader, const char *bytes)
{
	if (reader->text == reader->end || !*reader->text || !strchr(bytes, *reader->text))
		return false;
	reader->text++;
	return true;
}

static void read_one(struct reader *reader, const char *bytes)
{
	if (!read_any(reader, bytes))
		reader->bad = true;
}

/* Reads exactly `digits` digits. */
static int read_number(struct reader *reader, unsigned digits, int low, int high)
{
	int number = 0;

	while (digits-- > 0) {
		if (reader->text == reader->end || *reader->text < '0' || *reader->text > '9') {
			reader->bad = true;
			return low;
		}
		number = number * 10 + (*reader->text++ - '0');
	}
	if (number < low || number > high)
		reader->bad = true;
	return number;
}

static int64_t read_fraction(struct reader *reader)
{
	int64_t nanoseconds = 0, unit = NANOSECONDS / 10;
	const char *begin;

	if (!read_any(reader, reader->lenient ? ".," : "."))
		return 0;
	for (begin = reader->text; reader->text < reader->end; reader->text++, unit /= 10) {
		if (*reader->text < '0' || *reader->text > '9')
			break;
		nanoseconds += (*reader->text - '0') * unit;
	}
	if (reader->text == begin)
		reader->bad = true;
	return nanoseconds;
}

/* `Z`, or how many seconds east of Greenwich. */
static int read_offset(struct reader *reader)
{
	bool west;
	int seconds;

	if (read_any(reader, "Zz") || (reader->lenient && reader->text == reader->end))
		return 0;
	west = reader->text < reader->end && *reader->text == '-';
	read_one(reader, "+-");
	seconds = read_number(reader, 2, 0, 23) * 3600;
	if (!read_any(reader, ":") && !reader->lenient)
		reader->bad = true;
	if (!reader->lenient || reader->text != reader->end)
		seconds += read_number(reader, 2, 0, 59) * 60;
	return west ? -seconds : seconds;
}

static int read_time(struct reader reader, wall_time_ns *time)
{
	struct tm date = {0};
	int64_t nanoseconds, seconds;
	int offset, failed;

	date.tm_year = read_number(&reader, 4, 0, 9999) - 1900;
	read_one(&reader, "-");
	date.tm_mon = read_number(&reader, 2, 1, 12) - 1;
	read_one(&reader, "-");
	date.tm_mday = read_number(&reader, 2, 1, 31);
	read_one(&reader, "Tt ");
	date.tm_hour = read_number(&reader, 2, 0, 23);
	read_one(&reader, ":");
	date.tm_min = read_number(&reader, 2, 0, 59);
	read_one(&reader, ":");
	date.tm_sec = read_number(&reader, 2, 0, 60);
	nanoseconds = read_fraction(&reader);
	offset = read_offset(&reader);
	if (reader.bad || reader.text != reader.end)
		return -EINVAL;
	seconds = seconds_of(&date, &failed);
	if (!failed)
		*time = time_from_seconds(seconds - offset, nanoseconds);
	return failed;
}

int time_parse_rfc3339(const char *text, size_t length, wall_time_ns *time)
{
	const struct reader reader = {.text = text, .end = text + length};

	return read_time(reader, time);
}

int time_parse_iso8601(const char *text, size_t length, wall_time_ns *time)
{
	const struct reader reader = {.text = text, .end = text + length, .lenient = true};

	return read_time(reader, time);
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
	size_t i;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
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
	} units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	const char *digit;
	uint64_t number = 0;
	size_t i;

	for (digit = text; *digit >= '0' && *digit <= '9'; digit++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*digit - '0'), &number))
			return -EINVAL;
	if (digit == text)
		return -EINVAL;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(digit, units[i].unit) == 0 &&
		    !__builtin_mul_overflow(number, units[i].seconds, &number) &&
		    number <= DURATION_MAX) {
			*seconds = number;
			return 0;
		}
	return -EINVAL;
}
