/* The page walker: which pages are asked for and when, and what a listing is that never ends, shifts or lies. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog_fixture.h"
#include "check.h"
#include "store/catalog.h"

/* Opens the directory of a store; what it shows so far. */
static struct snapshot *view(struct listing *listing)
{
	struct failure failure = {0};
	struct snapshot *snapshot = listing_view(listing, &failure);

	assert_non_null(snapshot);
	return snapshot;
}

static void begin(struct fixture *fixture, enum paging paging, struct listing **listing)
{
	fixture_make(fixture, paging);
	fixture_start(fixture);
	*listing = store_secrets(fixture_store(fixture, "store"));
}

static void assert_whole(struct fixture *fixture, const struct listing *listing, uint64_t entries)
{
	assert_int_equal(fixture->asked_count, 0);
	assert_null(listing->walk);
	assert_true(listing->complete);
	assert_int_equal(listing->last_failure.error, 0);
	assert_int_equal(listing->current->present, entries);
}

/* --- cursors ----------------------------------------------------------------------------------------------------------------- */

static void test_pages_by_cursor_are_asked_for_one_after_the_other(void **state)
{
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, PAGING_CURSOR, &listing);
	snapshot_release(view(listing));
	for (unsigned page = 0; page < 10; page++) {
		char cursor[16], before[16];

		snprintf(cursor, sizeof(cursor), "c%u", page);
		snprintf(before, sizeof(before), "c%u", page - 1);
		assert_int_equal(fixture.asked_count, 1);
		assert_int_equal(ask_of(fixture.asked[0])->operation, OPERATION_LIST_SECRETS);
		assert_string_equal(ask_of(fixture.asked[0])->store_id, "store");
		if (page)
			assert_string_equal(ask_of(fixture.asked[0])->cursor, before);
		else
			assert_null(ask_of(fixture.asked[0])->cursor);
		answer_names(&fixture, 0, "N", page * 20, 20, page < 9 ? cursor : NULL);
	}
	assert_whole(&fixture, listing, 200);
	assert_int_equal(fixture.calls, 10);
	fixture_free(&fixture);
}

static void test_all_who_ask_share_one_walk(void **state)
{
	struct snapshot *views[8];
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, PAGING_CURSOR, &listing);
	for (size_t i = 0; i < COUNT(views); i++)
		views[i] = view(listing);
	answer_names(&fixture, 0, "N", 0, 2, "next");
	answer_names(&fixture, 0, "N", 2, 1, NULL);
	assert_int_equal(fixture.calls, 2);
	for (size_t i = 0; i < COUNT(views); i++) {
		assert_string_equal(names_in(&fixture, views[i]), "N0 N1 N2");
		snapshot_release(views[i]);
	}
	fixture_free(&fixture);
}

struct reader {
	struct wait wait;
	struct snapshot *snapshot;
	unsigned woken;
	size_t seen;
};

static void read_more(struct wait *wait)
{
	struct reader *reader = container_of(wait, struct reader, wait);

	reader->woken++;
	reader->seen = reader->snapshot->present;
	if (snapshot_grows(reader->snapshot))
		wait_begin(snapshot_waits(reader->snapshot), wait);
}

static void test_who_reads_is_woken_at_every_page_and_at_the_end(void **state)
{
	struct reader reader = {.wait.woken = read_more};
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, PAGING_CURSOR, &listing);
	reader.snapshot = view(listing);
	wait_begin(snapshot_waits(reader.snapshot), &reader.wait);
	answer_names(&fixture, 0, "N", 0, 5, "1");
	assert_int_equal(reader.woken, 1);
	assert_int_equal(reader.seen, 5);
	answer_names(&fixture, 0, "N", 5, 5, "2");
	assert_int_equal(reader.seen, 10);
	attempt_fails(&fixture, 0, ECONNREFUSED);
	assert_int_equal(reader.woken, 3);
	answer_names(&fixture, 0, "N", 10, 1, NULL);
	assert_int_equal(reader.woken, 4);
	assert_int_equal(reader.seen, 11);
	assert_false(snapshot_grows(reader.snapshot));
	snapshot_release(reader.snapshot);
	fixture_free(&fixture);
}

/* A tail of `tail` pages, and then a circle of `length`. */
static unsigned pages_until_a_circle_is_noticed(unsigned tail, unsigned length)
{
	struct snapshot *snapshot;
	struct fixture fixture;
	struct listing *listing;
	unsigned pages = 0;
	char cursor[16];

	begin(&fixture, PAGING_CURSOR, &listing);
	snapshot = view(listing);
	while (fixture.asked_count) {
		unsigned at = pages < tail ? pages : tail + (pages - tail) % length;

		snprintf(cursor, sizeof(cursor), "c%u", at);
		answer_names(&fixture, 0, "N", at * 2, 2, cursor);
		assert_true(++pages < 1000);
	}
	assert_false(listing->complete);
	assert_int_equal(snapshot_failure(snapshot)->error, EIO);
	snapshot_release(snapshot);
	fixture_free(&fixture);
	return pages;
}

static void test_a_circle_of_cursors_ends_with_an_error(void **state)
{
	(void)state;
	for (unsigned tail = 0; tail < 20; tail++)
		for (unsigned length = 1; length < 20; length++)
			assert_true(pages_until_a_circle_is_noticed(tail, length) <= 4 * (tail + length) + 4);
}

static void test_cursors_that_never_end_and_bring_nothing_end_with_an_error(void **state)
{
	struct fixture fixture;
	struct listing *listing;
	unsigned pages = 0;
	char cursor[16];

	(void)state;
	begin(&fixture, PAGING_CURSOR, &listing);
	snapshot_release(view(listing));
	while (fixture.asked_count) {
		snprintf(cursor, sizeof(cursor), "c%u", pages);
		answer_names(&fixture, 0, "N", 0, pages % 2 ? 2 : 0, cursor);
		assert_true(++pages < 200);
	}
	assert_int_equal(listing->last_failure.error, EIO);
	fixture_free(&fixture);
}

static void test_empty_pages_are_no_end(void **state)
{
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, PAGING_CURSOR, &listing);
	snapshot_release(view(listing));
	answer_names(&fixture, 0, "N", 0, 0, "1");
	answer_names(&fixture, 0, "N", 0, 1, "2");
	answer_names(&fixture, 0, "N", 0, 0, "3");
	answer_names(&fixture, 0, "N", 1, 1, NULL);
	assert_whole(&fixture, listing, 2);
	fixture_free(&fixture);
}

/* --- numbers ----------------------------------------------------------------------------------------------------------------- */

/* A service of numbered pages. */
struct shelf {
	unsigned first, count; /* of the names */
	unsigned page_size;
	int64_t total; /* that it tells; -1: none */
};

static void answer_page(struct fixture *fixture, size_t index, const struct shelf *shelf)
{
	unsigned from = (ask_of(fixture->asked[index])->page - 1) * shelf->page_size;
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
	const struct shelf shelf = {.count = 1950, .page_size = 100, .total = 1950};
	struct fixture fixture;
	struct listing *listing;
	unsigned rounds = 0;

	(void)state;
	begin(&fixture, PAGING_NUMBERED, &listing);
	snapshot_release(view(listing));
	assert_int_equal(fixture.asked_count, 1);
	assert_int_equal(ask_of(fixture.asked[0])->page, 1);
	answer_page(&fixture, 0, &shelf);
	assert_int_equal(fixture.asked_count, 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(ask_of(fixture.asked[i])->page, 2 + i);
	/* Whatever the order of the answers, as many are on their way, until there are no more. */
	while (fixture.asked_count) {
		assert_int_equal(fixture.asked_count, 19 - rounds < 8 ? 19 - rounds : 8);
		answer_page(&fixture, (3 * rounds) % fixture.asked_count, &shelf);
		rounds++;
	}
	assert_int_equal(fixture.calls, 20);
	assert_whole(&fixture, listing, 1950);
	fixture_free(&fixture);
}

static void test_a_full_last_page_costs_no_further_call(void **state)
{
	const struct shelf full = {.count = 300, .page_size = 100, .total = 300}, empty = {.page_size = 100};
	struct fixture fixture;
	struct listing *listing, *other;

	(void)state;
	begin(&fixture, PAGING_NUMBERED, &listing);
	snapshot_release(view(listing));
	answer_all_pages(&fixture, &full);
	assert_int_equal(fixture.calls, 3);
	other = store_secrets(fixture_store(&fixture, "other"));
	snapshot_release(view(other));
	answer_all_pages(&fixture, &empty);
	assert_int_equal(fixture.calls, 4);
	assert_whole(&fixture, other, 0);
	fixture_free(&fixture);
}

static void test_a_listing_that_shrinks_meanwhile_is_walked_again(void **state)
{
	struct shelf shelf = {.count = 250, .page_size = 100, .total = 250};
	struct snapshot *snapshot;
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, PAGING_NUMBERED, &listing);
	snapshot = view(listing);
	answer_page(&fixture, 0, &shelf);
	/* The first ten go, and everything moves up: page 2 begins behind N100 to N109, which nobody shows. */
	shelf = (struct shelf){.first = 10, .count = 240, .page_size = 100, .total = 240};
	answer_all_pages(&fixture, &shelf);
	assert_int_equal(fixture.calls, 6);
	assert_whole(&fixture, listing, 240);
	assert_true(snapshot_find(listing->current, "N0")->gone);
	assert_false(snapshot_find(listing->current, "N105")->gone);
	assert_ptr_equal(listing->current, snapshot);
	assert_null(strstr(names_in(&fixture, snapshot), "N9 "));
	snapshot_release(snapshot);
	fixture_free(&fixture);
}

static void test_it_is_walked_again_at_most_twice(void **state)
{
	const struct shelf liar = {.count = 250, .page_size = 100, .total = 260};
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, PAGING_NUMBERED, &listing);
	snapshot_release(view(listing));
	answer_all_pages(&fixture, &liar);
	/* Three rounds of three pages, and a last one that is empty. */
	assert_int_equal(fixture.calls, 10);
	assert_whole(&fixture, listing, 250);
	fixture_free(&fixture);
}

static void test_pages_smaller_than_asked_for_lose_nothing(void **state)
{
	const struct shelf small = {.count = 500, .page_size = 50, .total = 500};
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, PAGING_NUMBERED, &listing);
	snapshot_release(view(listing));
	answer_all_pages(&fixture, &small);
	assert_whole(&fixture, listing, 500);
	fixture_free(&fixture);
}

static void test_totals_that_make_no_sense(void **state)
{
	static const int64_t totals[] = {-1, 0, INT64_C(1000000000000), INT64_MAX};

	(void)state;
	for (size_t i = 0; i < COUNT(totals); i++) {
		const struct shelf shelf = {.count = 230, .page_size = 100, .total = totals[i]};
		struct fixture fixture;
		struct listing *listing;

		begin(&fixture, PAGING_NUMBERED, &listing);
		snapshot_release(view(listing));
		answer_all_pages(&fixture, &shelf);
		assert_whole(&fixture, listing, 230);
		assert_true(fixture.calls < 64);
		fixture_free(&fixture);
	}
}

static void test_entries_that_come_twice_are_counted_once(void **state)
{
	struct script script = {.total = 3};
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, PAGING_NUMBERED, &listing);
	snapshot_release(view(listing));
	script_add_many(&script, "N", 0, 3);
	script_add_many(&script, "N", 0, 3);
	answer(&fixture, 0, &script);
	script_clear(&script);
	assert_int_equal(fixture.calls, 1);
	assert_whole(&fixture, listing, 3);
	fixture_free(&fixture);
}

static void test_names_that_are_left_out_count_for_the_total(void **state)
{
	struct script script = {.total = 4, .left_out = 2};
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, PAGING_NUMBERED, &listing);
	snapshot_release(view(listing));
	script_add_many(&script, "N", 0, 2);
	answer(&fixture, 0, &script);
	script_clear(&script);
	assert_int_equal(fixture.calls, 1);
	assert_whole(&fixture, listing, 2);
	assert_int_equal(listing->current->left_out, 2);
	fixture_free(&fixture);
}

static void test_one_failing_page_ends_the_walk_when_all_are_in(void **state)
{
	const struct shelf shelf = {.count = 1000, .page_size = 100, .total = 1000};
	struct snapshot *snapshot;
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, PAGING_NUMBERED, &listing);
	snapshot = view(listing);
	answer_page(&fixture, 0, &shelf);
	call_fails(&fixture, 2, EIO);
	assert_int_equal(fixture.asked_count, 7);
	while (fixture.asked_count > 1)
		answer_page(&fixture, 0, &shelf);
	assert_true(snapshot_grows(snapshot));
	answer_page(&fixture, 0, &shelf);
	assert_false(snapshot_grows(snapshot));
	assert_int_equal(snapshot_failure(snapshot)->error, EIO);
	assert_int_equal(fixture.calls, 9);
	assert_false(listing->complete);
	snapshot_release(snapshot);
	fixture_free(&fixture);
}

/* --- who is woken ------------------------------------------------------------------------------------------------------------ */

static void test_who_is_woken_may_let_go_of_the_store(void **state)
{
	static const enum paging pagings[] = {PAGING_CURSOR, PAGING_NUMBERED};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct seeker seeker = {0};
		struct fixture fixture;
		struct listing *listing;

		begin(&fixture, pagings[i % 2], &listing);
		seeker.store = store_reference(listing_store(listing));
		snapshot_release(view(listing));
		/* Waits for the walk, and is the last to hold the store. */
		listing->misses = 100;
		seek(&fixture, &seeker, listing, "N1");
		listing_own_delete(catalog_stores(fixture.catalog), "store");
		if (i < 2)
			answer_names(&fixture, 0, "N", 0, 2, "more");
		else
			call_fails(&fixture, 0, ENOENT);
		assert_int_equal(seeker.done, 1);
		assert_null(seeker.store);
		fixture_free(&fixture);
	}
}

struct restarter {
	struct wait wait;
	struct listing *listing;
	struct snapshot *next;
};

static void begin_another(struct wait *wait)
{
	struct restarter *restarter = container_of(wait, struct restarter, wait);

	listing_expire(restarter->listing);
	restarter->next = view(restarter->listing);
}

static void test_who_is_woken_may_begin_the_next_walk(void **state)
{
	struct restarter restarter = {.wait.woken = begin_another};
	struct seeker seekers[2] = {0};
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, PAGING_CURSOR, &listing);
	restarter.listing = listing;
	snapshot_release(view(listing));
	listing->misses = 100;
	seek(&fixture, &seekers[0], listing, "ABSENT");
	wait_begin(snapshot_waits(listing->filling), &restarter.wait);
	seek(&fixture, &seekers[1], listing, "ABSENT");
	answer_names(&fixture, 0, "N", 0, 2, NULL);
	/* Who was woken after that asks once more, by itself: all was forgotten before it had its answer. */
	assert_int_equal(fixture.asked_count, 2);
	answer_names(&fixture, 0, "M", 0, 2, NULL);
	call_fails(&fixture, 0, ENOENT);
	for (size_t i = 0; i < COUNT(seekers); i++) {
		assert_int_equal(seekers[i].done, 1);
		assert_int_equal(seekers[i].error, ENOENT);
	}
	assert_string_equal(names_in(&fixture, restarter.next), "M0 M1");
	snapshot_release(restarter.next);
	fixture_free(&fixture);
}

static void test_the_catalog_may_go_while_it_walks(void **state)
{
	struct fixture fixture;
	struct listing *listing;
	struct snapshot *snapshot;

	(void)state;
	begin(&fixture, PAGING_NUMBERED, &listing);
	snapshot = view(listing);
	answer_page(&fixture, 0, &(struct shelf){.count = 1000, .page_size = 100, .total = 1000});
	assert_int_equal(fixture.asked_count, 8);
	fixture_free(&fixture);
	assert_int_equal(snapshot_failure(snapshot)->error, EINTR);
	snapshot_release(snapshot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_by_cursor_are_asked_for_one_after_the_other),
		cmocka_unit_test(test_all_who_ask_share_one_walk),
		cmocka_unit_test(test_who_reads_is_woken_at_every_page_and_at_the_end),
		cmocka_unit_test(test_a_circle_of_cursors_ends_with_an_error),
		cmocka_unit_test(test_cursors_that_never_end_and_bring_nothing_end_with_an_error),
		cmocka_unit_test(test_empty_pages_are_no_end),
		cmocka_unit_test(test_numbered_pages_are_asked_for_side_by_side_once_the_total_is_known),
		cmocka_unit_test(test_a_full_last_page_costs_no_further_call),
		cmocka_unit_test(test_a_listing_that_shrinks_meanwhile_is_walked_again),
		cmocka_unit_test(test_it_is_walked_again_at_most_twice),
		cmocka_unit_test(test_pages_smaller_than_asked_for_lose_nothing),
		cmocka_unit_test(test_totals_that_make_no_sense),
		cmocka_unit_test(test_entries_that_come_twice_are_counted_once),
		cmocka_unit_test(test_names_that_are_left_out_count_for_the_total),
		cmocka_unit_test(test_one_failing_page_ends_the_walk_when_all_are_in),
		cmocka_unit_test(test_who_is_woken_may_let_go_of_the_store),
		cmocka_unit_test(test_who_is_woken_may_begin_the_next_walk),
		cmocka_unit_test(test_the_catalog_may_go_while_it_walks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
