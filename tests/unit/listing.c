/* Listings: how long they are fresh, and how pages, single calls and our own changes come together
 * in them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog_fixture.h"
#include "check.h"
#include "fetch/catalog.h"

/* --- how fresh */

static void test_a_listing_is_fresh_for_its_time(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;

	walk_through(fixture, listing, 0, 3);
	assert_int_equal(listing_time_left(listing, NULL), 60000);
	advance_clock(fixture, 59999);
	assert_int_equal(listing_time_left(listing, NULL), 1);
	assert_string_equal(names_of(fixture, listing), "N0 N1 N2");
	assert_int_equal(fixture->asked_count, 0);
	advance_clock(fixture, 1);
	assert_int_equal(listing_time_left(listing, NULL), 0);
	/* The old view at once, and a walk behind it. */
	assert_string_equal(names_of(fixture, listing), "N0 N1 N2");
	assert_int_equal(fixture->asked_count, 1);
}

static void test_it_lives_ten_times_as_long_as_the_walk_took(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;

	snapshot_release(view_of(listing));
	advance_clock(fixture, 20000);
	answer_names(fixture, 0, "N", 0, 3, NULL);
	assert_int_equal(listing_time_left(listing, NULL), 200000);
	/* A walk that fails after a long wait does not count for the cost of a walk. */
	advance_clock(fixture, 200000);
	snapshot_release(view_of(listing));
	advance_clock(fixture, 30000);
	call_fails(fixture, 0, ETIMEDOUT);
	advance_clock(fixture, 4000);
	snapshot_release(view_of(listing));
	answer_names(fixture, 0, "N", 0, 3, NULL);
	assert_int_equal(listing_time_left(listing, NULL), 60000);
}

static void test_indefinite_and_minimal(void **state)
{
	static const struct {
		uint64_t ttl;
		bool minimal;
		uint64_t left;
	} cases[] = {{CLOCK_NEVER, false, CLOCK_NEVER}, {0, true, 1000}, {0, false, 1000}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture fixture;
		struct listing *listing;

		fixture_make(&fixture, PAGING_CURSOR);
		fixture.options.ttl = cases[i].ttl;
		fixture.options.minimal = cases[i].minimal;
		fixture_start(&fixture);
		listing = store_secrets(fixture_store(&fixture, "store"));
		walk_through(&fixture, listing, 0, 3);
		assert_int_equal(listing_time_left(listing, NULL), cases[i].left);
		assert_int_equal(listing_time_left(listing, known_of(listing, "N0")),
				 cases[i].left);
		fixture_free(&fixture);
	}
}

static void test_a_single_name_is_fresh_for_a_time_of_its_own(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;

	walk_through(fixture, listing, 0, 3);
	advance_clock(fixture, 61000);
	apply_answer(listing, "N1", "id");
	apply_answer(listing, "GONE", NULL);
	assert_true(listing_time_left(listing, known_of(listing, "N1")) > 59000);
	assert_int_equal(fixture->asked_count, 0);
	/* An absence is believed for a shorter time. */
	advance_clock(fixture, 4000);
	assert_null(known_of(listing, "GONE"));
	assert_int_equal(fixture->asked_count, 0);
	advance_clock(fixture, 2000);
	assert_null(known_of(listing, "GONE"));
	assert_int_equal(fixture->asked_count, 0);
	advance_clock(fixture, REFRESH_DELAY);
	assert_int_equal(fixture->asked_count, 1);
}

static void test_what_expires_vanishes_by_itself(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct script script = {.count = 1};
	uint32_t entry_id;

	snapshot_release(view_of(listing));
	script.entries[0] = entry_of("A", NULL);
	script.entries[0].expires_at = (SERVICE_TIME + 10) * NANOSECONDS;
	answer(fixture, 0, &script);
	entry_id = entry_id_of(listing, "A");
	assert_int_equal(listing_time_left(listing, known_of(listing, "A")), 10000);
	advance_clock(fixture, 9900);
	assert_non_null(catalog_record(fixture->catalog, entry_id));
	assert_string_equal(names_of(fixture, listing), "A");
	assert_int_equal(listing_time_left(listing, known_of(listing, "A")), 100);
	advance_clock(fixture, 100);
	assert_null(catalog_record(fixture->catalog, entry_id));
	assert_null(known_of(listing, "A"));
	assert_string_equal(names_of(fixture, listing), "");
	assert_int_equal(fixture->calls, 1);
}

/* --- refreshes */

static void test_an_entry_keeps_its_number_as_long_as_it_is_there(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	uint32_t entry_id;

	walk_through(fixture, listing, 0, 3);
	entry_id = entry_id_of(listing, "N1");
	for (int i = 0; i < 5; i++) {
		advance_clock(fixture, 61000);
		walk_through(fixture, listing, 1, 3);
		assert_int_equal(entry_id_of(listing, "N1"), entry_id);
		assert_string_equal(catalog_record(fixture->catalog, entry_id)->name, "N1");
	}
	advance_clock(fixture, 61000);
	walk_through(fixture, listing, 2, 3);
	assert_null(catalog_record(fixture->catalog, entry_id));
	advance_clock(fixture, 61000);
	walk_through(fixture, listing, 1, 3);
	assert_int_not_equal(entry_id_of(listing, "N1"), entry_id);
}

static void test_a_refresh_that_fails_changes_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	uint32_t entry_id;

	walk_through(fixture, listing, 0, 3);
	entry_id = entry_id_of(listing, "N1");
	advance_clock(fixture, 61000);
	snapshot_release(view_of(listing));
	answer_names(fixture, 0, "N", 1, 1, "more");
	call_fails(fixture, 0, EIO);
	assert_string_equal(names_of(fixture, listing), "N0 N1 N2");
	assert_int_equal(entry_id_of(listing, "N1"), entry_id);
	assert_string_equal(catalog_record(fixture->catalog, entry_id)->name, "N1");
	assert_true(listing_is_stale(listing, NULL));
}

static void test_a_first_walk_that_fails_has_taught_something(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	uint32_t entry_id;

	apply_answer(listing, "BEFORE", "id");
	apply_answer(listing, "ABSENT", NULL);
	entry_id = entry_id_of(listing, "BEFORE");
	snapshot_release(view_of(listing));
	answer_names(fixture, 0, "N", 0, 2, "more");
	call_fails(fixture, 0, EIO);
	assert_non_null(known_of(listing, "N1"));
	assert_int_equal(entry_id_of(listing, "BEFORE"), entry_id);
	assert_string_equal(catalog_record(fixture->catalog, entry_id)->name, "BEFORE");
	assert_false(listing->is_complete);
	/* The next one may be whole. */
	walk_through(fixture, listing, 0, 3);
	assert_string_equal(names_of(fixture, listing), "N0 N1 N2");
	assert_null(catalog_record(fixture->catalog, entry_id));
}

static void test_a_view_outlives_the_refresh(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct snapshot *old;

	walk_through(fixture, listing, 0, 3);
	old = view_of(listing);
	advance_clock(fixture, 61000);
	walk_through(fixture, listing, 1, 3);
	/* Of the old ones those that are still there, and what they are now. */
	assert_string_equal(names_in(fixture, old), "N1 N2");
	assert_string_equal(names_of(fixture, listing), "N1 N2 N3");
	snapshot_release(old);
}

static void test_a_walk_that_began_before_a_refresh_is_no_answer_to_it(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct snapshot *before, *after;

	before = view_of(listing);
	answer_names(fixture, 0, "N", 0, 2, "more");
	catalog_refresh(fixture->catalog);
	after = view_of(listing);
	assert_true(snapshot_is_stale(after));
	snapshot_release(after);
	answer_names(fixture, 0, "N", 2, 1, NULL);
	assert_false(snapshot_is_stale(before));
	assert_int_equal(listing_time_left(listing, NULL), 0);
	after = view_of(listing);
	assert_ptr_not_equal(after, before);
	answer_names(fixture, 0, "N", 1, 2, NULL);
	assert_string_equal(names_in(fixture, after), "N1 N2");
	assert_int_equal(listing_time_left(listing, NULL), 60000);
	snapshot_release(before);
	snapshot_release(after);
}

/* --- stores */

static void walk_stores(struct fixture *fixture, const struct entry *entries, size_t count)
{
	struct listing *stores = catalog_stores(fixture->catalog);
	struct script script = {.count = count};

	memcpy(script.entries, entries, count * sizeof(*entries));
	advance_clock(fixture, 61000);
	snapshot_release(view_of(stores));
	assert_int_equal(args_of(fixture->asked[0])->operation, OPERATION_LIST_STORES);
	answer(fixture, 0, &script);
}

static void test_two_stores_of_one_name_are_distinguished_by_their_ids(void **state)
{
	const struct entry twins[] = {entry_of("twin", "id1"), entry_of("other", "id2"),
				      entry_of("twin", "id3")};
	struct listing *stores;
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, PAGING_CURSOR);
	fixture_start(&fixture);
	stores = catalog_stores(fixture.catalog);
	walk_stores(&fixture, twins, 3);
	assert_string_equal(names_of(&fixture, stores), "twin other twin~id3");
	assert_string_equal(store_id(catalog_store(fixture.catalog, known_of(stores, "twin~id3"))),
			    "id3");
	/* The first one is deleted: the other takes its name, and is another entry. */
	walk_stores(&fixture, twins + 1, 2);
	assert_string_equal(names_of(&fixture, stores), "other twin");
	assert_string_equal(store_id(catalog_store(fixture.catalog, known_of(stores, "twin"))),
			    "id3");
	fixture_free(&fixture);
}

/* An id is the service's, and no part of a path; a `%` before it is no escape of a byte,
 * and one in it may look so. */
static void test_a_name_that_shows_an_id_is_one_that_a_directory_can_hold(void **state)
{
	const struct entry twins[] = {entry_of("twin", "id1"),	 entry_of("twin", "a/b"),
				      entry_of("twin", "%2F"),	 entry_of("twin", "\n"),
				      entry_of("twin", "\xff"),	 entry_of("t%2Fwin", "id1"),
				      entry_of("t%2Fwin", "id2")};
	struct listing *stores;
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, PAGING_CURSOR);
	fixture_start(&fixture);
	stores = catalog_stores(fixture.catalog);
	walk_stores(&fixture, twins, COUNT(twins));
	assert_string_equal(names_of(&fixture, stores),
			    "twin twin~a%2Fb twin~%252F twin~%0A t%2Fwin t%2Fwin~id2");
	assert_string_equal(
		store_id(catalog_store(fixture.catalog, known_of(stores, "twin~a%2Fb"))), "a/b");
	assert_int_equal(stores->current->names_too_long, 1);
	fixture_free(&fixture);
}

static void note_greeting(void *context, const struct failure *failure)
{
	*(int *)context = failure->errnum;
}

/* What the listing shows is what a mount of that store alone is called. */
static void test_a_store_is_mounted_alone_by_the_name_that_shows_its_id(void **state)
{
	static const char *const names[] = {"twin~a%2Fb", "twin~a/b", "twin~id2", "twin"};
	static const char *const ids[] = {"a/b", NULL, NULL, "id1"};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct script script = {
			.entries = {entry_of("twin", "id1"), entry_of("twin", "a/b")}, .count = 2};
		struct fixture fixture;
		struct store *store;
		int error = -1;

		fixture_make(&fixture, PAGING_CURSOR);
		fixture.options.store = names[i];
		fixture_start(&fixture);
		catalog_probe(fixture.catalog, false, note_greeting, &error);
		answer(&fixture, 0, &script);
		store = catalog_only_store(fixture.catalog);
		assert_int_equal(error, ids[i] ? 0 : ENOENT);
		if (ids[i])
			assert_string_equal(store_id(store), ids[i]);
		else
			assert_null(store);
		fixture_free(&fixture);
	}
}

static void test_of_two_stores_whose_name_leaves_no_room_for_the_id_one_is_left_out(void **state)
{
	char name[256];
	struct entry twins[2];
	struct fixture fixture;

	(void)state;
	memset(name, 's', sizeof(name) - 1);
	name[255] = '\0';
	twins[0] = entry_of(name, "id1");
	twins[1] = entry_of(name, "id2");
	fixture_make(&fixture, PAGING_CURSOR);
	fixture_start(&fixture);
	walk_stores(&fixture, twins, 2);
	assert_string_equal(names_of(&fixture, catalog_stores(fixture.catalog)), name);
	assert_int_equal(catalog_stores(fixture.catalog)->current->names_too_long, 1);
	assert_string_equal(record_id(known_of(catalog_stores(fixture.catalog), name)), "id1");
	fixture_free(&fixture);
}

static void test_a_deleted_store_is_freed_with_its_last_reference(void **state)
{
	const struct entry entries[] = {entry_of("a", "id1"), entry_of("b", "id2")};
	struct fixture fixture;
	struct listing *stores;
	struct store *a, *b;
	uint32_t secret;

	(void)state;
	fixture_make(&fixture, PAGING_CURSOR);
	fixture_start(&fixture);
	stores = catalog_stores(fixture.catalog);
	walk_stores(&fixture, entries, 2);
	a = store_reference(catalog_store(fixture.catalog, known_of(stores, "a")));
	b = catalog_store(fixture.catalog, known_of(stores, "b"));
	secret = own_put(store_secrets(a), "SECRET", NULL)->entry_id;
	walk_stores(&fixture, entries + 1, 1);
	assert_ptr_equal(catalog_store(fixture.catalog, known_of(stores, "b")), b);
	assert_null(known_of(stores, "a"));
	assert_non_null(catalog_record(fixture.catalog, secret));
	store_release(a);
	assert_null(catalog_record(fixture.catalog, secret));
	fixture_free(&fixture);
}

static void test_many_stores_have_numbers_that_are_given_again(void **state)
{
	struct listing made[1000];
	struct cache cache;

	(void)state;
	cache_init(&cache, NULL, &(const struct cache_options){0});
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT(made); i++)
			assert_int_equal(listing_init(&made[i], &cache, NULL, NULL), 0);
		for (size_t i = 0; i < COUNT(made); i++) {
			assert_true(made[i].number > 0 && made[i].number <= COUNT(made));
			assert_ptr_equal(cache.listings.slots[made[i].number], &made[i]);
		}
		for (size_t i = 0; i < COUNT(made); i++)
			listing_finish(&made[(7 * i) % COUNT(made)]);
	}
	cache_free(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_CURSOR(test_a_listing_is_fresh_for_its_time),
		TEST_CURSOR(test_it_lives_ten_times_as_long_as_the_walk_took),
		cmocka_unit_test(test_indefinite_and_minimal),
		TEST_CURSOR(test_a_single_name_is_fresh_for_a_time_of_its_own),
		TEST_CURSOR(test_what_expires_vanishes_by_itself),
		TEST_CURSOR(test_an_entry_keeps_its_number_as_long_as_it_is_there),
		TEST_CURSOR(test_a_refresh_that_fails_changes_nothing),
		TEST_CURSOR(test_a_first_walk_that_fails_has_taught_something),
		TEST_CURSOR(test_a_view_outlives_the_refresh),
		TEST_CURSOR(test_a_walk_that_began_before_a_refresh_is_no_answer_to_it),
		cmocka_unit_test(test_two_stores_of_one_name_are_distinguished_by_their_ids),
		cmocka_unit_test(test_a_name_that_shows_an_id_is_one_that_a_directory_can_hold),
		cmocka_unit_test(test_a_store_is_mounted_alone_by_the_name_that_shows_its_id),
		cmocka_unit_test(
			test_of_two_stores_whose_name_leaves_no_room_for_the_id_one_is_left_out),
		cmocka_unit_test(test_a_deleted_store_is_freed_with_its_last_reference),
		cmocka_unit_test(test_many_stores_have_numbers_that_are_given_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
