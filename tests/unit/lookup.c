/* Finding out about names: from memory, by one call, by the walk; shared, overtaken, given up, and
 * without the service. */
#include <errno.h>
#include <stdio.h>

#include "catalog_fixture.h"
#include "check.h"
#include "fetch/catalog.h"

static void test_without_a_listing_a_name_costs_one_call(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];

	start_lookup(fixture, lookup_probe, listing, "A");
	assert_int_equal(lookup_probe->done, 0);
	assert_string_equal(args_of(fixture->asked[0])->name, "A");
	answer_found(fixture, 0, "A", NULL);
	assert_int_equal(lookup_probe->done, 1);
	assert_string_equal(lookup_probe->name, "A");
	/* And from then on none. */
	start_lookup(fixture, lookup_probe, listing, "A");
	assert_int_equal(lookup_probe->done, 1);
	assert_int_equal(fixture->calls, 1);
}

static void test_an_absent_name_costs_one_call_within_its_time(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];

	start_lookup(fixture, lookup_probe, listing, "A");
	call_fails(fixture, 0, ENOENT);
	assert_int_equal(lookup_probe->error, ENOENT);
	advance_clock(fixture, 4500);
	start_lookup(fixture, lookup_probe, listing, "A");
	assert_int_equal(lookup_probe->error, ENOENT);
	assert_int_equal(fixture->calls, 1);
	advance_clock(fixture, 1000);
	start_lookup(fixture, lookup_probe, listing, "A");
	assert_int_equal(lookup_probe->done, 0);
	call_fails(fixture, 0, ENOENT);
	assert_int_equal(fixture->calls, 2);
}

static void test_lookups_of_one_name_share_a_call(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *seekers = fixture->probes;

	for (size_t i = 0; i < 10; i++)
		start_lookup(fixture, &seekers[i], listing, "A");
	assert_int_equal(fixture->calls, 1);
	answer_found(fixture, 0, "A", NULL);
	for (size_t i = 0; i < 10; i++)
		assert_string_equal(seekers[i].name, "A");
	/* Also where a further call would be one too many. */
	for (size_t i = 0; i < 10; i++)
		start_lookup(fixture, &seekers[i], listing, i % 2 ? "B" : "C");
	assert_int_equal(fixture->calls, SINGLE_CALLS_MAX);
	answer_found(fixture, 0, "C", NULL);
	answer_found(fixture, 0, "B", NULL);
}

static void test_a_storm_of_absent_names_costs_a_walk_and_a_few_calls(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	static struct lookup_probe seekers[100];
	char name[16];

	for (size_t i = 0; i < COUNT(seekers); i++) {
		snprintf(name, sizeof(name), "ABSENT%zu", i);
		start_lookup(fixture, &seekers[i], listing, name);
	}
	assert_int_equal(fixture->calls, SINGLE_CALLS_MAX + 1);
	while (fixture->asked_count)
		if (args_of(fixture->asked[0])->operation == OPERATION_LIST_SECRETS)
			answer_names(fixture, 0, "N", 0, 100, NULL);
		else
			call_fails(fixture, 0, ENOENT);
	for (size_t i = 0; i < COUNT(seekers); i++)
		assert_int_equal(seekers[i].error, ENOENT);
	assert_int_equal(fixture->calls, SINGLE_CALLS_MAX + 1);
}

static void test_a_fresh_listing_answers_for_every_name(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];

	walk_through(fixture, listing, 0, 10);
	start_lookup(fixture, lookup_probe, listing, "N7");
	assert_string_equal(lookup_probe->name, "N7");
	start_lookup(fixture, lookup_probe, listing, "N10");
	assert_int_equal(lookup_probe->error, ENOENT);
	assert_int_equal(fixture->calls, 1);
}

static void test_during_a_walk_a_name_costs_one_call(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];
	struct failure failure = {0};

	snapshot_release(listing_open_view(listing, &failure));
	answer_names(fixture, 0, "N", 0, 100, "more");
	start_lookup(fixture, lookup_probe, listing, "N7");
	assert_string_equal(lookup_probe->name, "N7");
	start_lookup(fixture, lookup_probe, listing, "Z");
	assert_int_equal(fixture->asked_count, 2);
	answer_found(fixture, 1, "Z", NULL);
	assert_string_equal(lookup_probe->name, "Z");
	call_fails(fixture, 0, EIO);
	/* Entries of its pages stay, though the walk failed. */
	start_lookup(fixture, lookup_probe, listing, "Z");
	assert_string_equal(lookup_probe->name, "Z");
}

static void test_single_calls_during_a_walk_are_no_more_than_its_pages(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	static struct lookup_probe seekers[60];
	struct failure failure = {0};
	char name[16], cursor[16];
	unsigned pages = 0, finds = 0;

	snapshot_release(listing_open_view(listing, &failure));
	for (size_t i = 0; i < COUNT(seekers); i++) {
		snprintf(name, sizeof(name), "ABSENT%zu", i);
		start_lookup(fixture, &seekers[i], listing, name);
	}
	while (fixture->asked_count)
		if (args_of(fixture->asked[0])->operation == OPERATION_LIST_SECRETS) {
			snprintf(cursor, sizeof(cursor), "c%u", pages);
			pages++;
			answer_names(fixture, 0, "N", pages, 1, pages < 20 ? cursor : NULL);
		} else {
			finds++;
			call_fails(fixture, 0, ENOENT);
		}
	assert_int_equal(pages, 20);
	assert_true(finds >= 15 && finds <= SINGLE_CALLS_MAX + 20);
	for (size_t i = 0; i < COUNT(seekers); i++)
		assert_int_equal(seekers[i].error, ENOENT);
}

static void test_a_lookup_during_a_walk_ends_with_the_page_that_has_its_name(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];
	struct script script = {.total = 300};

	start_lookup(fixture, lookup_probe, listing, "N5");
	assert_int_equal(args_of(fixture->asked[0])->operation, OPERATION_LIST_SECRETS);
	script_add_many(&script, "N", 0, 100);
	answer(fixture, 0, &script);
	script_clear(&script);
	assert_string_equal(lookup_probe->name, "N5");
	assert_int_equal(fixture->asked_count, 2);
}

static void test_names_that_the_service_would_refuse_cost_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];

	start_lookup(fixture, lookup_probe, listing, "a b");
	assert_int_equal(lookup_probe->error, ENOENT);
	assert_int_equal(fixture->calls, 0);
}

static void test_with_bypass_cache_a_name_is_read_from_the_service(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0], *other = &fixture->probes[1];

	walk_through(fixture, listing, 0, 3);
	start_bypassing_lookup(fixture, lookup_probe, listing, "N1");
	start_bypassing_lookup(fixture, other, listing, "N1");
	assert_int_equal(fixture->asked_count, 2);
	call_fails(fixture, 0, ENOENT);
	assert_int_equal(lookup_probe->error, ENOENT);
	answer_found(fixture, 0, "N1", NULL);
	assert_string_equal(other->name, "N1");
}

static void test_with_bypass_cache_where_names_can_only_be_walked_for(void **state)
{
	struct lookup_probe lookup_probe = {0};
	struct failure failure = {0};
	struct fixture fixture;
	struct listing *listing;
	struct script script = {.total = 1};

	(void)state;
	fixture_make(&fixture, PAGING_NUMBERED);
	fixture.operations[OPERATION_FIND_SECRET].parse = NULL;
	fixture_start(&fixture);
	listing = store_secrets(fixture_store(&fixture, "store"));
	/* A walk that is under way already is no answer. */
	snapshot_release(listing_open_view(listing, &failure));
	start_bypassing_lookup(&fixture, &lookup_probe, listing, "OLD");
	script_add(&script, "OLD");
	answer(&fixture, 0, &script);
	script_clear(&script);
	assert_int_equal(lookup_probe.done, 0);
	assert_int_equal(fixture.asked_count, 1);
	script = (struct script){.total = 1};
	script_add(&script, "NEW");
	answer(&fixture, 0, &script);
	script_clear(&script);
	assert_int_equal(lookup_probe.error, ENOENT);
	fixture_free(&fixture);
}

static void test_our_own_change_is_newer_than_a_call_on_its_way(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];
	struct entry ours = entry_of("A", "ours");

	start_lookup(fixture, lookup_probe, listing, "A");
	assert_non_null(listing_local_put(listing, &ours, 0));
	call_fails(fixture, 0, ENOENT);
	assert_string_equal(lookup_probe->id, "ours");
	start_lookup(fixture, lookup_probe, listing, "A");
	assert_string_equal(lookup_probe->id, "ours");
	/* The same the other way round. */
	start_bypassing_lookup(fixture, lookup_probe, listing, "A");
	listing_local_delete(listing, "A");
	answer_found(fixture, 0, "A", "theirs");
	assert_int_equal(lookup_probe->error, ENOENT);
	start_lookup(fixture, lookup_probe, listing, "A");
	assert_int_equal(lookup_probe->error, ENOENT);
	assert_int_equal(fixture->calls, 2);
}

static void test_an_invalidation_during_a_query_repeats_it(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];

	start_lookup(fixture, lookup_probe, listing, "A");
	listing_invalidate(listing, "A", 0);
	assert_true(listing_is_invalid(listing, "A"));
	call_fails(fixture, 0, ENOENT);
	assert_int_equal(lookup_probe->done, 0);
	answer_found(fixture, 0, "A", NULL);
	assert_string_equal(lookup_probe->name, "A");
	assert_false(listing_is_invalid(listing, "A"));
}

static void test_an_invalidation_during_a_walk_outlives_it(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];
	struct failure failure = {0};

	walk_through(fixture, listing, 0, 3);
	advance_clock(fixture, 61000);
	snapshot_release(listing_open_view(listing, &failure));
	listing_invalidate(listing, "N1", 0);
	listing_invalidate(listing, "N7", 0);
	answer_names(fixture, 0, "N", 0, 3, NULL);
	assert_true(listing_is_invalid(listing, "N1"));
	assert_true(listing_is_invalid(listing, "N7"));
	start_lookup(fixture, lookup_probe, listing, "N1");
	assert_int_equal(lookup_probe->done, 0);
	call_fails(fixture, 0, ENOENT);
	assert_int_equal(lookup_probe->error, ENOENT);
	start_lookup(fixture, lookup_probe, listing, "N7");
	answer_found(fixture, 0, "N7", NULL);
	assert_string_equal(lookup_probe->name, "N7");
}

static void test_an_id_saves_the_search_if_it_is_still_good(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];
	struct script script = {.total = 300};
	struct failure failure = {0};

	snapshot_release(listing_open_view(listing, &failure));
	for (unsigned page = 0; page < 3; page++) {
		script_add_many(&script, "N", 100 * page, 100);
		script.entries[0].id = "id";
		answer(fixture, 0, &script);
		script_clear(&script);
		script.total = 300;
	}
	assert_true(listing->is_complete);
	advance_clock(fixture, 61000);
	start_lookup(fixture, lookup_probe, listing, "N100");
	assert_string_equal(lookup_probe->name, "N100");
	assert_string_equal(args_of(fixture->asked[0])->id, "id");
	call_fails(fixture, 0, ENOENT);
	/* Created again under another id: the search finds it. */
	assert_null(args_of(fixture->asked[0])->id);
	answer_found(fixture, 0, "N100", "other");
	start_lookup(fixture, lookup_probe, listing, "N100");
	assert_string_equal(lookup_probe->id, "other");
	assert_int_equal(fixture->asked_count, 0);
}

static void test_a_search_ends_at_a_match_or_an_empty_page(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0];

	start_bypassing_lookup(fixture, lookup_probe, listing, "NAME");
	for (unsigned page = 1; page <= 3; page++) {
		assert_int_equal(args_of(fixture->asked[0])->page, page);
		answer_names(fixture, 0, "NAMESAKE", 100 * page, 100, NULL);
	}
	answer_names(fixture, 0, "", 0, 0, NULL);
	assert_int_equal(lookup_probe->error, ENOENT);
	start_bypassing_lookup(fixture, lookup_probe, listing, "NAME7");
	answer_names(fixture, 0, "NAME", 0, 100, NULL);
	assert_string_equal(lookup_probe->name, "NAME7");
	assert_int_equal(fixture->asked_count, 0);
}

static void test_a_lookup_may_be_given_up(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct lookup_probe *lookup_probe = &fixture->probes[0], *other = &fixture->probes[1];

	start_lookup(fixture, lookup_probe, listing, "A");
	start_lookup(fixture, other, listing, "A");
	lookup_cancel(&lookup_probe->lookup);
	lookup_cancel(&lookup_probe->lookup);
	answer_found(fixture, 0, "A", NULL);
	assert_int_equal(lookup_probe->done, 0);
	assert_int_equal(other->done, 1);
	listing->single_lookups = 100;
	catalog_refresh(fixture->catalog);
	listing->single_lookups = 100;
	start_lookup(fixture, lookup_probe, listing, "B");
	lookup_cancel(&lookup_probe->lookup);
	advance_clock(fixture, 60000);
	assert_int_equal(lookup_probe->done, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_CURSOR(test_without_a_listing_a_name_costs_one_call),
		TEST_CURSOR(test_an_absent_name_costs_one_call_within_its_time),
		TEST_CURSOR(test_lookups_of_one_name_share_a_call),
		TEST_CURSOR(test_a_storm_of_absent_names_costs_a_walk_and_a_few_calls),
		TEST_CURSOR(test_a_fresh_listing_answers_for_every_name),
		TEST_CURSOR(test_during_a_walk_a_name_costs_one_call),
		TEST_CURSOR(test_single_calls_during_a_walk_are_no_more_than_its_pages),
		TEST_NUMBERED(test_a_lookup_during_a_walk_ends_with_the_page_that_has_its_name),
		TEST_CURSOR(test_names_that_the_service_would_refuse_cost_nothing),
		TEST_CURSOR(test_with_bypass_cache_a_name_is_read_from_the_service),
		cmocka_unit_test(test_with_bypass_cache_where_names_can_only_be_walked_for),
		TEST_CURSOR(test_our_own_change_is_newer_than_a_call_on_its_way),
		TEST_CURSOR(test_an_invalidation_during_a_query_repeats_it),
		TEST_CURSOR(test_an_invalidation_during_a_walk_outlives_it),
		TEST_NUMBERED(test_an_id_saves_the_search_if_it_is_still_good),
		TEST_NUMBERED(test_a_search_ends_at_a_match_or_an_empty_page),
		TEST_CURSOR(test_a_lookup_may_be_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
