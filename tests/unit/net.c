/* Calls: each response class, each transport error, what is retried, and what is reported in the
 * end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "net_fixture.h"
#include "sstorefs/clock.h"

static struct fixture fixture;
static struct probe probe;

static int make_fixture(void **state)
{
	(void)state;
	fixture_make(&fixture, FRONT_PLAIN);
	return 0;
}

static int free_fixture(void **state)
{
	(void)state;
	fixture_free(&fixture);
	return 0;
}

static void run(enum http_method method, uint64_t budget, const char *target)
{
	probe_make(&probe, &fixture, method, budget, "%s", target);
	probe_run(&probe);
}

static void ended(int error, unsigned sends, bool lost)
{
	if (probe.call.failure.errnum != error)
		fail_msg("%s, not %s: %s", failure_errno_name(probe.call.failure.errnum),
			 error ? failure_errno_name(error) : "success", probe.call.failure.message);
	assert_int_equal(probe.call.times_sent, sends);
	assert_int_equal(probe.call.indeterminate, lost);
	assert_int_equal(probe.call.sent_at != 0, sends != 0);
}

static void text_contains(const char *part)
{
	if (!strstr(probe.call.failure.message, part))
		fail_msg("no \"%s\" in \"%s\"", part, probe.call.failure.message);
}

static void a_response_is_handled_once_and_reported_once(void **state)
{
	uint64_t before = clock_boottime();

	(void)state;
	run(HTTP_GET, 5000, "/plain");
	ended(0, 1, false);
	assert_int_equal(probe.handled, 1);
	assert_string_equal(probe.body, "{\"ok\":true}");
	assert_true(probe.call.sent_at >= before && probe.call.sent_at <= clock_boottime());
	assert_null(probe.call.request.target.data);
	assert_int_equal(net_counts(fixture.net)->attempts, 1);
	assert_true(net_counts(fixture.net)->reachable);
	assert_true(net_counts(fixture.net)->last_response_at >= before);
}

static void the_request_arrives_as_it_was_written(void **state)
{
	static const struct {
		enum http_method method;
		const char *name, *body;
	} cases[] = {
		{HTTP_GET, "GET", NULL},       {HTTP_POST, "POST", "{\\u00fc}"},
		{HTTP_PUT, "PUT", "body"},     {HTTP_PATCH, "PATCH", "patched"},
		{HTTP_DELETE, "DELETE", NULL}, {HTTP_DELETE, "DELETE", "ids"},
		{HTTP_POST, "POST", NULL},     {HTTP_PUT, "PUT", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char expected[64];

		probe_make(&probe, &fixture, cases[i].method, 5000, "/echo-%zu/../%%2e?plan=echo",
			   i);
		http_request_header(&probe.call.request, "X-Mine", "yes");
		if (cases[i].body)
			probe_body(&probe, cases[i].body);
		probe_run(&probe);
		ended(0, 1, false);
		snprintf(expected, sizeof(expected),
			 "{\"method\": \"%s\", \"path\": \"/echo-%zu/../%%2e?", cases[i].name, i);
		assert_non_null(strstr(probe.body, expected));
		assert_non_null(strstr(probe.body, "\"X-Mine\": \"yes\""));
		assert_non_null(strstr(probe.body, "\"X-Token\": \"old\", \"X-Other\": \"1\""));
		assert_non_null(strstr(probe.body, "\"User-Agent\": \"sstorefs/"));
		assert_null(strstr(probe.body, "Expect"));
		assert_null(strstr(probe.body, "urlencoded"));
		assert_int_equal(!!strstr(probe.body, "\"Content-Type\": \"text/plain\""),
				 cases[i].body != NULL);
		assert_int_equal(!!strstr(probe.body, "Content-Length"),
				 cases[i].body || cases[i].method == HTTP_POST ||
					 cases[i].method == HTTP_PUT);
	}
}

static void a_refusal_is_final_and_not_indeterminate(void **state)
{
	(void)state;
	run(HTTP_PUT, 5000, "/refused?plan=404,200");
	ended(ENOENT, 1, false);
	assert_null(net_down(fixture.net));
	assert_null(net_unauthorized(fixture.net));
	run(HTTP_GET, 5000, "/redirected?plan=301,200");
	ended(EACCES, 1, false);
	assert_int_equal(probe.status, 301);
}

static void a_5xx_is_indeterminate_and_retried_if_idempotent(void **state)
{
	(void)state;
	run(HTTP_PUT, 5000, "/flaky?plan=503,500,200");
	ended(0, 3, true);
	assert_true(probe.indeterminate_when_handled);
	assert_int_equal(net_counts(fixture.net)->retries, 2);
	run(HTTP_POST, 5000, "/flaky-create?plan=503,200");
	ended(EIO, 1, true);
	assert_false(probe.indeterminate_when_handled);
	text_contains("no answer that makes sense");
}

static void a_malformed_response_is_indeterminate_too(void **state)
{
	(void)state;
	run(HTTP_PUT, 5000, "/nonsense?plan=nonsense,200");
	ended(0, 2, true);
	run(HTTP_POST, 5000, "/nonsense-create?plan=nonsense,200");
	ended(EIO, 1, true);
}

static void after_a_lost_reply_a_refusal_proves_nothing(void **state)
{
	(void)state;
	run(HTTP_PUT, 5000, "/lost?plan=503,404");
	ended(EIO, 2, true);
	assert_int_equal(probe.call.failure.http_status, 404);
	text_contains("no; an earlier attempt may have taken effect");
}

static void the_last_response_to_a_safe_call_counts(void **state)
{
	(void)state;
	probe_make(&probe, &fixture, HTTP_GET, 5000, "/asked?plan=503,404");
	probe.call.safe = true;
	probe_run(&probe);
	ended(ENOENT, 2, true);
}

static void a_5xx_to_the_end_of_the_budget_is_eio(void **state)
{
	uint64_t before = clock_boottime();

	(void)state;
	run(HTTP_PUT, 1500, "/broken?plan=503");
	assert_int_equal(probe.call.failure.errnum, EIO);
	assert_true(probe.call.times_sent >= 2);
	assert_true(clock_boottime() <= before + 1500 + 300);
	assert_int_equal(net_down(fixture.net)->errnum, EIO);
	run(HTTP_GET, 5000, "/well?plan=404");
	assert_null(net_down(fixture.net));
}

static void broken_connections_are_indeterminate_and_retried_if_idempotent(void **state)
{
	static const char *const steps[] = {"reset", "close", "cut"};

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		probe_make(&probe, &fixture, HTTP_PUT, 5000, "/put-%s?plan=%s,200", steps[i],
			   steps[i]);
		probe_run(&probe);
		ended(0, 2, true);
		assert_int_equal(probe.handled, 1);
		probe_make(&probe, &fixture, HTTP_POST, 5000, "/post-%s?plan=%s,200", steps[i],
			   steps[i]);
		probe.call.request.bears_value = true;
		probe_run(&probe);
		assert_int_equal(probe.call.failure.errnum, EIO);
		assert_true(probe.call.indeterminate);
		assert_int_equal(probe.handled, 0);
	}
}

static void a_call_made_once_is_made_once(void **state)
{
	static const char *const steps[] = {"reset", "503", "401", "429-10"};

	(void)state;
	fixture.has_new_token = true;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		probe_make(&probe, &fixture, HTTP_GET, 5000, "/once-%s?plan=%s,200", steps[i],
			   steps[i]);
		probe.call.no_retry = true;
		probe_run(&probe);
		assert_int_not_equal(probe.call.failure.errnum, 0);
		assert_int_equal(probe.call.times_sent, 1);
	}
}

static void a_429_waits_as_long_as_it_says(void **state)
{
	uint64_t before = clock_boottime();

	(void)state;
	run(HTTP_POST, 5000, "/slower?plan=429-700,200");
	ended(0, 2, false);
	assert_true(clock_boottime() >= before + 700);
}

static void a_header_on_two_lines_is_read_whole(void **state)
{
	uint64_t before = clock_boottime();

	(void)state;
	run(HTTP_POST, 5000, "/folded?plan=folded-700,200");
	ended(0, 2, false);
	assert_true(clock_boottime() >= before + 700);
}

static void a_503_waits_as_long_as_it_says_if_there_is_time(void **state)
{
	uint64_t before = clock_boottime();

	(void)state;
	run(HTTP_PUT, 5000, "/down?plan=503-700,200");
	ended(0, 2, true);
	assert_true(clock_boottime() >= before + 700);
	run(HTTP_PUT, 5000, "/down-for-long?plan=503-300000,200");
	ended(0, 2, true);
}

static void a_wait_beyond_the_budget_ends_at_once(void **state)
{
	uint64_t before = clock_boottime();

	(void)state;
	run(HTTP_PUT, 20000, "/blocked?plan=429-300000,200");
	ended(EAGAIN, 1, false);
	text_contains("slower, please");
	assert_true(clock_boottime() < before + 10000);
	assert_int_equal(net_down(fixture.net)->errnum, EAGAIN);
}

static void new_credentials_are_asked_for_once(void **state)
{
	(void)state;
	run(HTTP_POST, 5000, "/token?plan=401,200");
	ended(EACCES, 1, false);
	assert_int_equal(fixture.asked, 1);
	assert_int_equal(net_unauthorized(fixture.net)->http_status, 401);
	assert_null(net_down(fixture.net));

	fixture.has_new_token = true;
	run(HTTP_POST, 5000, "/token-new?plan=401,echo");
	ended(0, 2, false);
	assert_non_null(strstr(probe.body, "\"X-Token\": \"new\""));
	assert_null(strstr(probe.body, "X-Other"));
	assert_null(net_unauthorized(fixture.net));

	run(HTTP_GET, 5000, "/token-bad?plan=401,401,200");
	ended(EACCES, 2, false);
	assert_int_equal(fixture.asked, 3);
	run(HTTP_GET, 5000, "/forbidden?plan=403");
	assert_int_equal(fixture.asked, 4);
	run(HTTP_GET, 5000, "/absent?plan=404");
	assert_int_equal(fixture.asked, 4);
}

static void other_credentials_are_no_longer_refused(void **state)
{
	(void)state;
	run(HTTP_GET, 5000, "/refused-token?plan=401");
	assert_non_null(net_unauthorized(fixture.net));
	assert_int_equal(net_set_credentials(fixture.net, "X-Token: old\0X-Other: 1", 24), 0);
	assert_non_null(net_unauthorized(fixture.net));
	assert_int_equal(net_set_credentials(fixture.net, "X-Token: better", 16), 0);
	assert_null(net_unauthorized(fixture.net));
}

static void silence_ends_with_the_budget(void **state)
{
	uint64_t before = clock_boottime();

	(void)state;
	run(HTTP_POST, 400, "/silent?plan=hang");
	ended(ETIMEDOUT, 1, true);
	text_contains("127.0.0.1 did not answer within 0.4 s");
	assert_true(clock_boottime() >= before + 390);
	assert_true(clock_boottime() < before + 2000);
	assert_int_equal(net_down(fixture.net)->errnum, ETIMEDOUT);
	assert_false(net_counts(fixture.net)->reachable);
}

static void a_hanging_read_leaves_time_for_another(void **state)
{
	(void)state;
	run(HTTP_GET, 2000, "/hangs?plan=hang,200");
	ended(0, 2, true);
	assert_int_equal(server_saw(&fixture, "hangs", "connections"), 2);

	probe_make(&probe, &fixture, HTTP_PUT, 1200, "/hangs-upload?plan=hang,200");
	probe.call.upload = true;
	probe_run(&probe);
	ended(ETIMEDOUT, 1, true);
}

/* The loop is late: its next turn begins when the budget of 400 ms is over. */
static void sleep_once(struct probe *late)
{
	static const struct timespec beyond = {.tv_nsec = 700000000};

	if (late->handled == 1)
		nanosleep(&beyond, NULL);
}

static void a_loop_that_is_late_begins_no_other_attempt(void **state)
{
	struct probe sleeper;

	(void)state;
	/* During a pause. */
	probe_make(&probe, &fixture, HTTP_GET, 400, "/late-pause?plan=503,200");
	probe.in_handler = sleep_once;
	probe_run(&probe);
	ended(EIO, 1, true);

	/* With a response that arrived while another task delayed the loop. */
	probe_make(&probe, &fixture, HTTP_GET, 400, "/late-answer?plan=slow503-200,200");
	probe_make(&sleeper, &fixture, HTTP_GET, 5000, "/sleeper?plan=slow-50");
	sleeper.in_handler = sleep_once;
	probe_start(&probe);
	probe_start(&sleeper);
	fixture_settle(&fixture);
	ended(EIO, 1, true);
}

static void a_budget_that_is_over_starts_nothing(void **state)
{
	(void)state;
	probe_make(&probe, &fixture, HTTP_GET, 0, "/late");
	probe.call.deadline = loop_now(fixture.loop);
	probe_run(&probe);
	ended(ETIMEDOUT, 0, false);
	assert_int_equal(net_counts(fixture.net)->attempts, 0);
	assert_null(net_down(fixture.net));
}

static void answers_are_capped(void **state)
{
	(void)state;
	run(HTTP_GET, 20000, "/big?plan=big,200");
	ended(EIO, 1, true);
	text_contains("larger than 8 MiB");
	run(HTTP_GET, 20000, "/bomb?plan=bomb,200");
	ended(EIO, 1, true);
	text_contains("larger than 8 MiB");
	run(HTTP_GET, 20000, "/flood?plan=flood,200");
	ended(EIO, 1, true);
	text_contains("larger than 64 KiB");
	run(HTTP_GET, 20000, "/fit?plan=fit");
	ended(0, 1, false);
	assert_int_equal(probe.body_length, HTTP_BODY_MAX);
	run(HTTP_GET, 20000, "/fitgzip?plan=fitgzip");
	ended(0, 1, false);
	assert_int_equal(probe.body_length, HTTP_BODY_MAX);
}

static void set_rate_limit(struct probe *completed)
{
	net_set_rate_limit(fixture.net, completed->status == 404 ? 100 : 9, 300);
}

static void reads_wait_while_the_rate_limit_budget_is_nearly_used_up(void **state)
{
	(void)state;
	probe_make(&probe, &fixture, HTTP_GET, 5000, "/budget?plan=404");
	probe.in_handler = set_rate_limit;
	probe_run(&probe);
	probe_make(&probe, &fixture, HTTP_GET, 5000, "/budget-low?plan=200");
	probe.in_handler = set_rate_limit;
	probe_run(&probe);
	ended(0, 1, false);

	uint64_t before = clock_boottime();

	run(HTTP_PUT, 5000, "/budget-write");
	ended(0, 1, false);
	assert_true(clock_boottime() < before + 200);
	run(HTTP_GET, 100, "/budget-refused");
	ended(EAGAIN, 0, false);
	text_contains("the rest is kept for writes until 2");
	assert_null(net_down(fixture.net));
	run(HTTP_GET, 5000, "/budget-waits");
	ended(0, 1, false);
	assert_true(clock_boottime() >= before + 250);
}

static void set_used_up_rate_limit(struct probe *completed)
{
	net_set_rate_limit(fixture.net, 0, completed->status == 404 ? 300 : 100000);
}

static void nothing_is_asked_once_the_rate_limit_budget_is_used_up(void **state)
{
	(void)state;
	probe_make(&probe, &fixture, HTTP_GET, 5000, "/budget-gone?plan=404");
	probe.in_handler = set_used_up_rate_limit;
	probe_run(&probe);

	uint64_t before = clock_boottime();

	run(HTTP_PUT, 100, "/budget-gone-refused");
	ended(EAGAIN, 0, false);
	text_contains("budget is used up until 2");
	assert_null(net_down(fixture.net));
	run(HTTP_PUT, 5000, "/budget-gone-waits");
	ended(0, 1, false);
	assert_true(clock_boottime() >= before + 250);
	probe_make(&probe, &fixture, HTTP_GET, 5000, "/budget-gone-long?plan=200");
	probe.in_handler = set_used_up_rate_limit;
	probe_run(&probe);
	assert_int_equal(net_down(fixture.net)->errnum, EAGAIN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_fixture, free_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_response_is_handled_once_and_reported_once),
		TEST(the_request_arrives_as_it_was_written),
		TEST(a_refusal_is_final_and_not_indeterminate),
		TEST(a_5xx_is_indeterminate_and_retried_if_idempotent),
		TEST(a_malformed_response_is_indeterminate_too),
		TEST(after_a_lost_reply_a_refusal_proves_nothing),
		TEST(the_last_response_to_a_safe_call_counts),
		TEST(a_5xx_to_the_end_of_the_budget_is_eio),
		TEST(broken_connections_are_indeterminate_and_retried_if_idempotent),
		TEST(a_call_made_once_is_made_once),
		TEST(a_429_waits_as_long_as_it_says),
		TEST(a_header_on_two_lines_is_read_whole),
		TEST(a_503_waits_as_long_as_it_says_if_there_is_time),
		TEST(a_wait_beyond_the_budget_ends_at_once),
		TEST(new_credentials_are_asked_for_once),
		TEST(other_credentials_are_no_longer_refused),
		TEST(silence_ends_with_the_budget),
		TEST(a_hanging_read_leaves_time_for_another),
		TEST(a_loop_that_is_late_begins_no_other_attempt),
		TEST(a_budget_that_is_over_starts_nothing),
		TEST(answers_are_capped),
		TEST(reads_wait_while_the_rate_limit_budget_is_nearly_used_up),
		TEST(nothing_is_asked_once_the_rate_limit_budget_is_used_up),
	};

	return cmocka_run_group_tests(tests, server_start, server_end);
}
