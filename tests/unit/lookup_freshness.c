/* Names that were known once: how long the answer is good, what is given when it is not, and
 * without the service. */
#include <errno.h>
#include <stdio.h>

#include "catalog_fixture.h"
#include "check.h"
#include "fetch/catalog.h"

static void test_the_old_answer_at_once_and_one_refresh_behind_it(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];

	walk_through(fixture, listing, 0, 3);
	advance_clock(fixture, 61000);
	for (int i = 0; i < 5; i++) {
		start_lookup(fixture, lookup_probe, listing, "N1");
		assert_string_equal(lookup_probe->name, "N1");
		start_lookup(fixture, lookup_probe, listing, "ABSENT");
		assert_int_equal(lookup_probe->error, ENOENT);
	}
	assert_int_equal(fixture->asked_count, 1);
	assert_int_equal(args_of(fixture->asked[0])->operation, OPERATION_LIST_SECRETS);
	assert_false(listing_is_stale(listing, NULL));
	answer_names(fixture, 0, "M", 0, 3, NULL);
	start_lookup(fixture, lookup_probe, listing, "N1");
	assert_int_equal(lookup_probe->error, ENOENT);
	assert_int_equal(fixture->calls, 2);
}

static void test_of_a_long_listing_single_names_are_refreshed_first(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];
	struct failure failure = {0};

	snapshot_release(listing_open_view(listing, &failure));
	answer_names(fixture, 0, "N", 0, 100, "more");
	answer_names(fixture, 0, "N", 100, 100, NULL);
	advance_clock(fixture, 61000);
	for (unsigned i = 0; i < SINGLE_CALLS_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "N%u", i);
		start_lookup(fixture, lookup_probe, listing, name);
		assert_string_equal(lookup_probe->name, name);
		answer_found(fixture, 0, name, NULL);
		start_lookup(fixture, lookup_probe, listing, name);
		assert_int_equal(fixture->asked_count, 0);
	}
	start_lookup(fixture, lookup_probe, listing, "N150");
	assert_int_equal(args_of(fixture->asked[0])->operation, OPERATION_LIST_SECRETS);
}

static void test_while_the_service_is_down_what_is_known_is_given_and_marked(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];
	const struct record *record;

	walk_through(fixture, listing, 0, 3);
	advance_clock(fixture, 61000);
	start_lookup(fixture, lookup_probe, listing, "N1");
	attempt_fails(fixture, 0, ECONNREFUSED);
	assert_int_equal(listing_query(listing, "N1", &record), CACHE_HIT);
	assert_true(listing_is_stale(listing, record));
	call_fails(fixture, 0, EHOSTUNREACH);
	assert_true(listing_is_stale(listing, record));
	/* Not asked again at once, but after a while. */
	start_lookup(fixture, lookup_probe, listing, "N1");
	assert_int_equal(fixture->asked_count, 0);
	advance_clock(fixture, 3100);
	start_lookup(fixture, lookup_probe, listing, "N1");
	assert_string_equal(lookup_probe->name, "N1");
	answer_names(fixture, 0, "N", 0, 3, NULL);
	assert_int_equal(listing_query(listing, "N1", &record), CACHE_HIT);
	assert_false(listing_is_stale(listing, record));
}

static void test_while_the_service_is_down_lookups_send_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];
	struct failure failure = {0};

	snapshot_release(listing_open_view(listing, &failure));
	answer_names(fixture, 0, "N", 0, 100, "more");
	answer_names(fixture, 0, "N", 100, 100, NULL);
	advance_clock(fixture, 61000);
	start_lookup(fixture, lookup_probe, listing, "N1");
	call_fails(fixture, 0, EHOSTUNREACH);
	for (unsigned i = 0; i < 10; i++) {
		start_lookup(fixture, lookup_probe, listing, i % 2 ? "N2" : "ABSENT");
		assert_int_equal(lookup_probe->done, 1);
		advance_clock(fixture, 100);
	}
	assert_int_equal(fixture->calls, 3);
}

static void test_a_new_name_fails_with_the_service(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];

	start_lookup(fixture, lookup_probe, listing, "A");
	attempt_fails(fixture, 0, EHOSTUNREACH);
	assert_int_equal(lookup_probe->done, 0);
	call_fails(fixture, 0, EHOSTUNREACH);
	assert_int_equal(lookup_probe->error, EHOSTUNREACH);
}

static void test_after_a_refresh_the_old_answer_is_given_at_the_first_failed_attempt(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *seekers = fixture->probes;

	walk_through(fixture, listing, 0, 3);
	catalog_refresh(fixture->catalog);
	start_lookup(fixture, &seekers[0], listing, "N1");
	start_lookup(fixture, &seekers[1], listing, "ABSENT");
	assert_int_equal(seekers[0].done, 0);
	attempt_fails(fixture, 0, ECONNREFUSED);
	assert_string_equal(seekers[0].name, "N1");
	attempt_fails(fixture, 1, ECONNREFUSED);
	assert_int_equal(seekers[1].error, ENOENT);
	/* And then at once. */
	start_lookup(fixture, &seekers[0], listing, "N2");
	assert_string_equal(seekers[0].name, "N2");
}

static void test_after_a_refresh_the_next_question_goes_to_the_service(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];

	walk_through(fixture, listing, 0, 3);
	catalog_refresh(fixture->catalog);
	start_lookup(fixture, lookup_probe, listing, "N1");
	call_fails(fixture, 0, ENOENT);
	assert_int_equal(lookup_probe->error, ENOENT);
	start_lookup(fixture, lookup_probe, listing, "NEW");
	answer_found(fixture, 0, "NEW", NULL);
	assert_string_equal(lookup_probe->name, "NEW");
	start_lookup(fixture, lookup_probe, listing, "NEW");
	assert_int_equal(fixture->calls, 3);
}

static void test_with_minimal_nothing_older_than_a_second_is_given(void **state)
{
	struct lookup_probe lookup_probe = {0};
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	fixture_make(&fixture, PAGING_CURSOR);
	fixture.options.minimal = true;
	fixture.options.ttl = 0;
	fixture_start(&fixture);
	listing = store_secrets(fixture_store(&fixture, "store"));
	walk_through(&fixture, listing, 0, 3);
	advance_clock(&fixture, 900);
	start_lookup(&fixture, &lookup_probe, listing, "N1");
	assert_string_equal(lookup_probe.name, "N1");
	advance_clock(&fixture, 200);
	start_lookup(&fixture, &lookup_probe, listing, "N1");
	assert_int_equal(lookup_probe.done, 0);
	answer_found(&fixture, 0, "N1", "new");
	assert_string_equal(lookup_probe.id, "new");
	/* While it can't be asked, the old is better than nothing. */
	advance_clock(&fixture, 2000);
	start_lookup(&fixture, &lookup_probe, listing, "N1");
	call_fails(&fixture, 0, EHOSTUNREACH);
	assert_string_equal(lookup_probe.id, "new");
	fixture_free(&fixture);
}

static void test_with_minimal_single_names_do_not_walk_a_large_store_every_time(void **state)
{
	struct failure failure = {0};
	struct lookup_probe lookup_probe = {0};
	struct fixture fixture;
	struct listing *listing;
	unsigned walks = 0;

	(void)state;
	fixture_make(&fixture, PAGING_CURSOR);
	fixture.options.minimal = true;
	fixture_start(&fixture);
	listing = store_secrets(fixture_store(&fixture, "store"));
	snapshot_release(listing_open_view(listing, &failure));
	advance_clock(&fixture, 5000);
	answer_names(&fixture, 0, "N", 0, 100, NULL); /* a walk of five seconds */
	for (int i = 0; i < 20; i++) {
		advance_clock(&fixture, 2000);
		start_lookup(&fixture, &lookup_probe, listing, "N1");
		if (args_of(fixture.asked[0])->operation == OPERATION_LIST_SECRETS) {
			walks++;
			answer_names(&fixture, 0, "N", 0, 100, NULL);
		} else {
			answer_found(&fixture, 0, "N1", NULL);
		}
		assert_int_equal(lookup_probe.done, 1);
	}
	assert_int_equal(walks, 0);
	fixture_free(&fixture);
}

static void test_an_answer_that_does_not_come_in_time_is_an_error(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0], *known = &fixture->probes[1];

	start_lookup(fixture, known, listing, "KNOWN");
	answer_found(fixture, 0, "KNOWN", NULL);
	catalog_refresh(fixture->catalog);
	start_lookup(fixture, lookup_probe, listing, "A");
	start_lookup(fixture, known, listing, "KNOWN");
	advance_clock(fixture, 29000);
	assert_int_equal(lookup_probe->done, 0);
	advance_clock(fixture, 2000);
	assert_int_equal(lookup_probe->error, ETIMEDOUT);
	assert_string_equal(known->name, "KNOWN");
}

static void test_a_walk_that_keeps_failing_is_not_begun_for_every_name(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];
	unsigned pages = 0;
	char name[16];

	for (unsigned i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "A%u", i);
		start_lookup(fixture, lookup_probe, listing, name);
		while (fixture->asked_count)
			if (args_of(fixture->asked[0])->operation == OPERATION_FIND_SECRET) {
				call_fails(fixture, 0, ENOENT);
			} else if (pages++ % 5 < 4) {
				advance_clock(fixture, 100);
				answer_names(fixture, 0, "N", pages, 1, name);
				snprintf(name, sizeof(name), "c%u", pages);
			} else {
				call_fails(fixture, 0, EIO);
			}
		assert_int_equal(lookup_probe->done, 1);
	}
	assert_true(pages <= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_CURSOR(test_the_old_answer_at_once_and_one_refresh_behind_it),
		TEST_CURSOR(test_of_a_long_listing_single_names_are_refreshed_first),
		TEST_CURSOR(test_while_the_service_is_down_what_is_known_is_given_and_marked),
		TEST_CURSOR(test_while_the_service_is_down_lookups_send_nothing),
		TEST_CURSOR(test_a_new_name_fails_with_the_service),
		TEST_CURSOR(
			test_after_a_refresh_the_old_answer_is_given_at_the_first_failed_attempt),
		TEST_CURSOR(test_after_a_refresh_the_next_question_goes_to_the_service),
		cmocka_unit_test(test_with_minimal_nothing_older_than_a_second_is_given),
		cmocka_unit_test(
			test_with_minimal_single_names_do_not_walk_a_large_store_every_time),
		TEST_CURSOR(test_an_answer_that_does_not_come_in_time_is_an_error),
		TEST_CURSOR(test_a_walk_that_keeps_failing_is_not_begun_for_every_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
