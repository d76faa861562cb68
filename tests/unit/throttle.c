/* The pace that a service asks of its clients: changes and points in any minute. */
#include "check.h"
#include "net/net_internal.h"
#include "sstorefs/provider.h"

static uint64_t now;

uint64_t __wrap_loop_now(const struct loop *loop);
uint64_t __wrap_loop_now(const struct loop *loop)
{
	(void)loop;
	return now;
}

#define CALLS 400

/* Sends CALLS calls, each as soon as the rules allow, every `change_each`th a change, and notes
 * when. */
static void send_all(const struct rate_rules *rules, unsigned change_each, uint64_t sent_at[CALLS])
{
	static struct net net;

	net = (struct net){.counts.budget_remaining = -1, .throttle.rules = *rules};
	now = 1234567;
	for (unsigned i = 0; i < CALLS; i++) {
		bool change = i % change_each == 0;
		uint64_t delay;

		while ((delay = throttle_delay(&net, change))) {
			assert_in_range(delay, 1, 61000);
			now += delay;
		}
		throttle_consume(&net, change);
		sent_at[i] = now;
	}
}

/* How many points the calls of any minute come to, at most. */
static unsigned most_a_minute(const uint64_t sent_at[CALLS], unsigned change_each,
			      unsigned of_change, unsigned of_read)
{
	unsigned most = 0;

	for (unsigned first = 0; first < CALLS; first++) {
		unsigned points = 0;

		for (unsigned i = first; i < CALLS && sent_at[i] < sent_at[first] + 60000; i++)
			points += i % change_each == 0 ? of_change : of_read;
		if (points > most)
			most = points;
	}
	return most;
}

static void test_no_minute_has_more_than_the_rules_allow(void **state)
{
	static const struct {
		struct rate_rules rules;
		unsigned change_each, changes, points; /* in the fullest minute */
		uint64_t ends_after;		       /* milliseconds, at most */
	} cases[] = {
		{{.unpaced_changes = 0}, 1, CALLS, 0, 0},
		{{.changes_a_minute = 80}, 1, 80, 0, 305000},
		{{.changes_a_minute = 80}, 2, 80, 0, 185000},
		{{.points_a_minute = 900, .points_of_read = 1, .points_of_change = 5},
		 1,
		 180,
		 900,
		 185000},
		{{.points_a_minute = 100, .points_of_read = 1, .points_of_change = 5},
		 CALLS,
		 1,
		 100,
		 305000},
		{{.changes_a_minute = 80, .unpaced_changes = 20}, 1, 80, 0, 410000},
	};
	uint64_t sent_at[CALLS];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct rate_rules *rules = &cases[i].rules;
		unsigned each = cases[i].change_each;

		send_all(rules, each, sent_at);
		assert_int_equal(most_a_minute(sent_at, each, 1, 0), cases[i].changes);
		assert_int_equal(most_a_minute(sent_at, each, rules->points_of_change,
					       rules->points_of_read),
				 cases[i].points);
		assert_in_range(sent_at[CALLS - 1] - sent_at[0], 0, cases[i].ends_after);
	}
}

static void test_after_the_first_changes_of_a_minute_there_is_one_a_second(void **state)
{
	const struct rate_rules rules = provider_github.rate_rules;
	uint64_t sent_at[CALLS];

	(void)state;
	assert_int_equal(rules.changes_a_minute, 80);
	assert_int_equal(rules.points_a_minute, 900);
	send_all(&rules, 1, sent_at);
	assert_int_equal(sent_at[rules.unpaced_changes - 1], sent_at[0]);
	for (unsigned i = rules.unpaced_changes; i < CALLS; i++)
		assert_true(sent_at[i] / 1000 > sent_at[i - 1] / 1000);
	assert_true(most_a_minute(sent_at, 1, 1, 0) <= 80);
	assert_true(most_a_minute(sent_at, 1, 5, 1) <= 900);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_minute_has_more_than_the_rules_allow),
		cmocka_unit_test(test_after_the_first_changes_of_a_minute_there_is_one_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
