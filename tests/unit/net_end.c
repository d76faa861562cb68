/* Calls that end without a response: cancelled, started again by their own callback, or freed
 * with their network. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "net_fixture.h"
#include "sstorefs/clock.h"

static struct fixture fixture;
static struct probe probe;

static void cancel_itself(struct probe *cancelled)
{
	struct fixture *mine = cancelled->fixture;

	call_cancel(&cancelled->call);
	assert_false(call_runs(&cancelled->call));
	/* The owner may be freed before the handler returns. */
	memset(&cancelled->call.failure, 0, sizeof(cancelled->call.failure));
	if (!--mine->pending)
		loop_stop(mine->loop);
}

static void cancel_other(struct probe *cancelling)
{
	if (!call_runs(&cancelling->other->call))
		return;
	call_cancel(&cancelling->other->call);
	if (!--cancelling->fixture->pending)
		loop_stop(cancelling->fixture->loop);
}

static void calls_can_be_cancelled_at_any_moment(void **state)
{
	static const char *const plans[] = {"hang", "429-5000", "200", "503", "reset"};
	struct probe other;

	(void)state;
	fixture_make(&fixture, FRONT_PLAIN);
	probe_make(&probe, &fixture, HTTP_GET, 5000, "/cancel-itself");
	probe.in_handler = cancel_itself;
	probe_start(&probe);
	fixture_settle(&fixture);
	assert_int_equal(probe.completed, 0);

	for (size_t i = 0; i < sizeof(plans) / sizeof(*plans); i++) {
		probe_make(&probe, &fixture, HTTP_GET, 5000, "/cancels-%zu?plan=slow-20", i);
		probe_make(&other, &fixture, HTTP_GET, 5000, "/cancelled-%zu?plan=%s", i, plans[i]);
		probe.other = &other;
		probe.in_handler = i % 2 ? cancel_other : NULL;
		probe.in_done = cancel_other;
		probe_start(&other);
		probe_start(&probe);
		fixture_settle(&fixture);
		assert_true(other.completed <= 1);
		assert_false(call_runs(&other.call));
	}
	assert_int_equal(net_counts(fixture.net)->running, 0);

	/* Before the first turn, and twice. */
	probe_make(&probe, &fixture, HTTP_GET, 5000, "/cancelled-early");
	probe_start(&probe);
	call_cancel(&probe.call);
	call_cancel(&probe.call);
	fixture.pending--;
	assert_int_equal(server_saw(&fixture, "cancelled-early", "requests"), 0);
	fixture_free(&fixture);
}

static void start_again(struct probe *again)
{
	if (again->completed == 1) {
		uint64_t deadline = clock_boottime() + 5000;

		buffer_puts(&again->call.request.target, "/again?plan=404,200");
		again->call.deadline = deadline;
		probe_start(again);
	}
}

static void a_call_can_be_started_again_from_its_own_done(void **state)
{
	(void)state;
	fixture_make(&fixture, FRONT_PLAIN);
	probe_make(&probe, &fixture, HTTP_GET, 5000, "/again?plan=404,200");
	probe.in_done = start_again;
	probe_start(&probe);
	while (probe.completed < 2)
		assert_int_equal(loop_run(fixture.loop), 0);
	assert_int_equal(probe.call.failure.errnum, 0);
	assert_int_equal(probe.call.times_sent, 1);
	assert_int_equal(probe.completed, 2);
	fixture_free(&fixture);
}

static void stop_fixture(struct task *task)
{
	(void)task;
	loop_stop(fixture.loop);
}

static void the_end_of_the_network_calls_no_callback(void **state)
{
	struct task stop = {.run = stop_fixture};
	struct probe probes[70];

	(void)state;
	fixture_make(&fixture, FRONT_PLAIN);
	for (size_t i = 0; i < 70; i++) {
		probe_make(&probes[i], &fixture, HTTP_PUT, 5000, "/unfinished?plan=hang");
		probes[i].call.upload = true;
		probe_start(&probes[i]);
	}
	server_saw(&fixture, "unfinished", "requests");
	/* One more that has ended already and would be reported in the next turn of the loop. */
	probe_make(&probe, &fixture, HTTP_GET, 0, "/unfinished?plan=hang");
	probe_start(&probe);
	net_free(fixture.net);
	task_queue(fixture.loop, &stop);
	assert_int_equal(loop_run(fixture.loop), 0);
	assert_int_equal(probe.completed, 0);
	for (size_t i = 0; i < 70; i++) {
		assert_int_equal(probes[i].completed, 0);
		assert_false(call_runs(&probes[i].call));
	}
	loop_free(fixture.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_can_be_cancelled_at_any_moment),
		cmocka_unit_test(a_call_can_be_started_again_from_its_own_done),
		cmocka_unit_test(the_end_of_the_network_calls_no_callback),
	};

	return cmocka_run_group_tests(tests, server_start, server_end);
}
