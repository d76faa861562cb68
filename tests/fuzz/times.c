/* Times and durations as services and users write them. What is read and written again is the same
 * moment. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "byte_source.h"
#include "sstorefs/clock.h"

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count, (void)arguments;
	quiet();
	return 0;
}

static wall_time_ns whole_seconds(wall_time_ns time)
{
	wall_time_ns rest = time % NANOSECONDS;

	return time - rest - (rest < 0 ? NANOSECONDS : 0);
}

static void read_again(wall_time_ns time)
{
	char text[TIME_TEXT_SIZE];
	wall_time_ns again = 0;
	const char *written = time_format(time, text);

	MUST(strlen(written) < TIME_TEXT_SIZE);
	/* The first and the last moment there are stand for all beyond them. */
	if (time < INT64_MIN + 2 * NANOSECONDS)
		return;
	MUST(!time_parse_rfc3339(written, strlen(written), &again));
	MUST(again == whole_seconds(time));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = malloc(size ? size : 1), *text = strndup((const char *)data, size);
	wall_time_ns time = 42;
	uint64_t seconds = 42;
	int64_t number;

	MUST(exact && text);
	memcpy(exact, data, size);
	if (!time_parse_rfc3339(exact, size, &time))
		read_again(time);
	else
		MUST(time == 42);
	time = 42;
	if (!time_parse_http(text, &time))
		read_again(time);
	else
		MUST(time == 42);
	if (time_parse_duration(text, &seconds))
		MUST(seconds == 42);
	else
		MUST(seconds <= UINT64_C(36525) * 86400);
	if (size >= sizeof number) {
		char written[TIME_TEXT_SIZE];

		memcpy(&number, data, sizeof number);
		MUST(strlen(time_format(number, written)) < TIME_TEXT_SIZE);
	}
	free(text);
	free(exact);
	return 0;
}
