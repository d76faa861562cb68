/* The log: the content of a line, and that nothing in it waits, repeats without end or passes for
 * something else. */
#include "sstorefs/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

static char printed[4 << 20];

/* Sends stderr to a pipe, whose other end is returned; `kept` is the real stderr. */
static int catch_stderr(int *kept)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	fcntl(ends[1], F_SETFL, fcntl(ends[1], F_GETFL) & ~O_NONBLOCK);
	*kept = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	log_open(LOG_TO_STDERR, false);
	return ends[0];
}

static void read_what_was_said(int end, size_t from)
{
	ssize_t length;

	while ((length = read(end, printed + from, sizeof printed - 1 - from)) > 0)
		from += (size_t)length;
	printed[from] = '\0';
}

static void release_stderr(int end, int kept)
{
	log_close();
	read_what_was_said(end, 0);
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(end);
}

static unsigned count(const char *text)
{
	unsigned found = 0;

	for (const char *at = printed; (at = strstr(at, text)); at += strlen(text))
		found++;
	return found;
}

static void log_failure(const char *name, const char *program, const char *words)
{
	struct log_actor actor = {1000, 100, 42, "", "/user.slice"};
	struct failure failure = {.http_status = 400, .request_id = "id uid=0"};

	snprintf(actor.program, sizeof actor.program, "%s", program);
	failure_set(&failure, EINVAL, "%s", words);
	log_event(LOG_WARNING, &(const struct log_event){.operation = "put",
							 .actor = &actor,
							 .store = "prod",
							 .name = name,
							 .failure = &failure});
}

static void test_no_field_can_be_imitated(void **state)
{
	int kept, end = catch_stderr(&kept);

	(void)state;
	log_failure("x errno=0 uid=0\" program=\"sh", "\xff\x1b[2K\xe2\x80\xae", "no\" uid=0");
	release_stderr(end, kept);
	assert_non_null(strstr(
		printed, "Z put errno=EINVAL uid=1000 gid=100 pid=42 status=400 store=\"prod\" "
			 "name=\"x errno=0 uid=0\\\" program=\\\"sh\" "
			 "program=\"\\xff\\u001b[2K\\u202e\" cgroup=\"/user.slice\" "
			 "request_id=\"id uid=0\" words=\"no\\\" uid=0\"\n"));
}

static void test_objects_have_real_fields(void **state)
{
	int kept, end = catch_stderr(&kept);

	(void)state;
	log_as_json(true);
	log_name("fastly:", "/mnt/a \"b\"");
	log_failure("a\"b", "\xe2\x80\xae", "why");
	log_line(LOG_INFO, "a line");
	log_name(NULL, NULL);
	release_stderr(end, kept);
	log_as_json(false);
	assert_non_null(strstr(
		printed,
		"\"level\": \"warning\", \"source\": \"fastly:\", \"mountpoint\": \"/mnt/a \\\"b\\\"\", "
		"\"operation\": \"put\", \"errno\": \"EINVAL\", \"uid\": 1000, \"gid\": 100, "
		"\"pid\": 42, \"status\": 400, \"store\": \"prod\", \"name\": \"a\\\"b\", "
		"\"program\": \"\\u202e\", \"cgroup\": \"/user.slice\", "
		"\"request_id\": \"id uid=0\", \"message\": \"why\"}\n"));
	assert_non_null(strstr(printed, "\"message\": \"a line\"}\n"));
	assert_memory_equal(printed, "{\"time\": \"20", 12);
	assert_int_equal(strcspn(printed + 10, "."), 19); /* milliseconds follow */
}

static void test_a_line_that_repeats_is_written_once_with_its_number(void **state)
{
	int kept, end = catch_stderr(&kept);

	(void)state;
	for (int i = 0; i < 51870; i++) {
		log_line(LOG_WARNING, "the same");
		log_line(LOG_WARNING, "and another");
	}
	release_stderr(end, kept);
	assert_string_equal(printed, "sstorefs: the same\nsstorefs: and another\n"
				     "sstorefs: the same … repeated 51869 times\n"
				     "sstorefs: and another … repeated 51869 times\n");
}

static void test_what_any_process_can_cause_is_so_many_lines(void **state)
{
	int kept, end = catch_stderr(&kept);
	const struct log_event change = {
		.operation = "delete", .name = "n", .digest = "d", .is_change = true};
	char name[32];

	(void)state;
	assert_true(fcntl(end, F_SETPIPE_SZ, 1 << 20) > 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof name, "name-%d", i);
		log_failure(name, "sh", "the service is down");
	}
	log_event(LOG_INFO, &change);
	release_stderr(end, kept);
	assert_in_range(count("name="), 900, 1600);
	assert_int_equal(count("lines were left out here"), 1);
	assert_int_equal(count("delete errno=0 name=\"n\" digest=\"d\"\n"), 1);
}

/* The pipe is full: nothing waits, what does not fit is counted, and when there is room again that
 * is said. */
static void test_a_reader_that_sleeps_stops_nothing(void **state)
{
	int kept, end = catch_stderr(&kept);
	unsigned lines = 20000, lost = 0;
	struct loop *loop;
	char *at;

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	log_attach(loop);
	for (unsigned i = 0; i < lines; i++)
		log_line(LOG_WARNING, "line %u of those that are not read", i);
	read_what_was_said(end, 0);
	assert_in_range(strlen(printed), 32768, 65536);
	log_attach(NULL); /* without a loop what has room is written with the next line */
	loop_free(loop);
	for (size_t length = 0; strlen(printed) != length;) {
		length = strlen(printed);
		log_line(LOG_INFO, "more %zu", length);
		read_what_was_said(end, length);
	}
	at = strstr(printed, " lines were lost here");
	assert_non_null(at);
	while (at[-1] != ' ')
		at--;
	lost = (unsigned)strtoul(at, NULL, 10);
	assert_int_equal(count(" of those that are not read\n") + lost, lines);
	release_stderr(end, kept);
}

static void test_the_end_does_not_wait_for_a_reader(void **state)
{
	int kept, end = catch_stderr(&kept);

	(void)state;
	for (unsigned i = 0; i < 20000; i++)
		log_line(LOG_WARNING, "line %u", i);
	release_stderr(end, kept);
	assert_int_equal(count("line 0\n"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_field_can_be_imitated),
		cmocka_unit_test(test_objects_have_real_fields),
		cmocka_unit_test(test_a_line_that_repeats_is_written_once_with_its_number),
		cmocka_unit_test(test_what_any_process_can_cause_is_so_many_lines),
		cmocka_unit_test(test_a_reader_that_sleeps_stops_nothing),
		cmocka_unit_test(test_the_end_does_not_wait_for_a_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
