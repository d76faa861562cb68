/* Walks of numbered pages: side by side once the total is known, and totals that lie. */
#include <errno.h>
#include <string.h>

#include "catalog_fixture.h"
#include "check.h"
#include "fetch/catalog.h"

/* A service of numbered pages. */
struct shelf {
	unsigned first, count; /* of the names */
	unsigned page_size;
	int64_t total; /* that it sends; -1: none */
};

static void answer_page(struct fixture *fixture, size_t index, const struct shelf *shelf)
{
	unsigned from = (args_of(fixture->asked[index])->page - 1) * shelf->page_size;
	struct script script = {.total = shelf->total >= 0 ? shelf->total : 0,
				.total_is_zero = shelf->total == 0};

	if (from < shelf->count)
		script_add_many(&script, "N", shelf->first + from,
				shelf->count - from < shelf->page_size ? shelf->count - from
								       : shelf->page_size);
	answer(fixture, index, &script);
	script_clear(&script);
}

static void answer_all_pages(struct fixture *fixture, const struct shelf *shelf)
{
	while (fixture->asked_count)
		answer_page(fixture, 0, shelf);
}

static void test_numbered_pages_are_asked_for_side_by_side_once_the_total_is_known(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	const struct shelf shelf = {.count = 1950, .page_size = 100, .total = 1950};
	unsigned rounds = 0;

	snapshot_release(view_of(listing));
	assert_int_equal(fixture->asked_count, 1);
	assert_int_equal(args_of(fixture->asked[0])->page, 1);
	answer_page(fixture, 0, &shelf);
	assert_int_equal(fixture->asked_count, 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(args_of(fixture->asked[i])->page, 2 + i);
	/* Whatever the order of the answers, as many are on their way, until there are no more. */
	while (fixture->asked_count) {
		assert_int_equal(fixture->asked_count, 19 - rounds < 8 ? 19 - rounds : 8);
		answer_page(fixture, (3 * rounds) % fixture->asked_count, &shelf);
		rounds++;
	}
	assert_int_equal(fixture->calls, 20);
	assert_whole(fixture, listing, 1950);
}

static void test_a_full_last_page_costs_no_further_call(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing, *other;
	const struct shelf full = {.count = 300, .page_size = 100, .total = 300},
			   empty = {.page_size = 100};

	snapshot_release(view_of(listing));
	answer_all_pages(fixture, &full);
	assert_int_equal(fixture->calls, 3);
	other = store_secrets(fixture_store(fixture, "other"));
	snapshot_release(view_of(other));
	answer_all_pages(fixture, &empty);
	assert_int_equal(fixture->calls, 4);
	assert_whole(fixture, other, 0);
}

static void test_a_listing_that_shrinks_meanwhile_is_walked_again(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct shelf shelf = {.count = 250, .page_size = 100, .total = 250};
	struct snapshot *snapshot;

	snapshot = view_of(listing);
	answer_page(fixture, 0, &shelf);
	/* The first ten go, and everything moves up: page 2 begins behind N100 to N109, which no
	 * page shows. */
	shelf = (struct shelf){.first = 10, .count = 240, .page_size = 100, .total = 240};
	answer_all_pages(fixture, &shelf);
	assert_int_equal(fixture->calls, 6);
	assert_whole(fixture, listing, 240);
	assert_true(snapshot_find(listing->current, "N0")->deleted);
	assert_false(snapshot_find(listing->current, "N105")->deleted);
	assert_ptr_equal(listing->current, snapshot);
	assert_null(strstr(names_in(fixture, snapshot), "N9 "));
	snapshot_release(snapshot);
}

static void test_it_is_walked_again_at_most_twice(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	const struct shelf liar = {.count = 250, .page_size = 100, .total = 260};

	snapshot_release(view_of(listing));
	answer_all_pages(fixture, &liar);
	/* Three rounds of three pages, and a last one that is empty. */
	assert_int_equal(fixture->calls, 10);
	assert_whole(fixture, listing, 250);
}

static void test_pages_smaller_than_asked_for_lose_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	const struct shelf small = {.count = 500, .page_size = 50, .total = 500};

	snapshot_release(view_of(listing));
	answer_all_pages(fixture, &small);
	assert_int_equal(fixture->calls, 10);
	assert_whole(fixture, listing, 500);
}

static void test_totals_that_make_no_sense(void **state)
{
	static const int64_t totals[] = {-1, 0, INT64_C(1000000000000), INT64_MAX};

	(void)state;
	for (size_t i = 0; i < COUNT(totals); i++) {
		const struct shelf shelf = {.count = 230, .page_size = 100, .total = totals[i]};
		struct fixture fixture;
		struct listing *listing;

		fixture_begin(&fixture, PAGING_NUMBERED, &listing);
		snapshot_release(view_of(listing));
		answer_all_pages(&fixture, &shelf);
		assert_whole(&fixture, listing, 230);
		assert_true(fixture.calls < 64);
		fixture_free(&fixture);
	}
}

static void test_entries_that_come_twice_are_counted_once(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct script script = {.total = 3};

	snapshot_release(view_of(listing));
	script_add_many(&script, "N", 0, 3);
	script_add_many(&script, "N", 0, 3);
	answer(fixture, 0, &script);
	script_clear(&script);
	assert_int_equal(fixture->calls, 1);
	assert_whole(fixture, listing, 3);
}

static void test_names_that_are_left_out_count_for_the_total(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct script script = {.total = 4, .left_out = 2};

	snapshot_release(view_of(listing));
	script_add_many(&script, "N", 0, 2);
	answer(fixture, 0, &script);
	script_clear(&script);
	assert_int_equal(fixture->calls, 1);
	assert_whole(fixture, listing, 2);
	assert_int_equal(listing->current->names_too_long, 2);
}

static void test_one_failing_page_ends_the_walk_when_all_are_in(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	const struct shelf shelf = {.count = 1000, .page_size = 100, .total = 1000};
	struct snapshot *snapshot;

	snapshot = view_of(listing);
	answer_page(fixture, 0, &shelf);
	call_fails(fixture, 2, EIO);
	assert_int_equal(fixture->asked_count, 7);
	while (fixture->asked_count > 1)
		answer_page(fixture, 0, &shelf);
	assert_true(snapshot_is_filling(snapshot));
	answer_page(fixture, 0, &shelf);
	assert_false(snapshot_is_filling(snapshot));
	assert_int_equal(snapshot_failure(snapshot)->errnum, EIO);
	assert_int_equal(fixture->calls, 9);
	assert_false(listing->is_complete);
	snapshot_release(snapshot);
}

static void test_the_catalog_may_be_freed_while_it_walks(void **state)
{
	struct fixture fixture;
	struct listing *listing;
	struct snapshot *snapshot;

	(void)state;
	fixture_begin(&fixture, PAGING_NUMBERED, &listing);
	snapshot = view_of(listing);
	answer_page(&fixture, 0, &(struct shelf){.count = 1000, .page_size = 100, .total = 1000});
	assert_int_equal(fixture.asked_count, 8);
	fixture_free(&fixture);
	assert_int_equal(snapshot_failure(snapshot)->errnum, EINTR);
	snapshot_release(snapshot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_NUMBERED(
			test_numbered_pages_are_asked_for_side_by_side_once_the_total_is_known),
		TEST_NUMBERED(test_a_full_last_page_costs_no_further_call),
		TEST_NUMBERED(test_a_listing_that_shrinks_meanwhile_is_walked_again),
		TEST_NUMBERED(test_it_is_walked_again_at_most_twice),
		TEST_NUMBERED(test_pages_smaller_than_asked_for_lose_nothing),
		cmocka_unit_test(test_totals_that_make_no_sense),
		TEST_NUMBERED(test_entries_that_come_twice_are_counted_once),
		TEST_NUMBERED(test_names_that_are_left_out_count_for_the_total),
		TEST_NUMBERED(test_one_failing_page_ends_the_walk_when_all_are_in),
		cmocka_unit_test(test_the_catalog_may_be_freed_while_it_walks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
