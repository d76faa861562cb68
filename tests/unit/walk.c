/* The page walker: which pages are asked for and when, and what a listing is that never ends,
 * shifts or lies. */
#include <errno.h>
#include <stdio.h>

#include "catalog_fixture.h"
#include "check.h"
#include "fetch/catalog.h"

static void test_pages_by_cursor_are_asked_for_one_after_the_other(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;

	snapshot_release(view_of(listing));
	for (unsigned page = 0; page < 10; page++) {
		char cursor[16], before[16];

		snprintf(cursor, sizeof(cursor), "c%u", page);
		snprintf(before, sizeof(before), "c%u", page - 1);
		assert_int_equal(fixture->asked_count, 1);
		assert_int_equal(args_of(fixture->asked[0])->operation, OPERATION_LIST_SECRETS);
		assert_string_equal(args_of(fixture->asked[0])->store_id, "store");
		if (page)
			assert_string_equal(args_of(fixture->asked[0])->cursor, before);
		else
			assert_null(args_of(fixture->asked[0])->cursor);
		answer_names(fixture, 0, "N", page * 20, 20, page < 9 ? cursor : NULL);
	}
	assert_whole(fixture, listing, 200);
	assert_int_equal(fixture->calls, 10);
}

static void test_readers_share_one_walk(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct snapshot *views[8];

	for (size_t i = 0; i < COUNT(views); i++)
		views[i] = view_of(listing);
	answer_names(fixture, 0, "N", 0, 2, "next");
	answer_names(fixture, 0, "N", 2, 1, NULL);
	assert_int_equal(fixture->calls, 2);
	for (size_t i = 0; i < COUNT(views); i++) {
		assert_string_equal(names_in(fixture, views[i]), "N0 N1 N2");
		snapshot_release(views[i]);
	}
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
	if (snapshot_is_filling(reader->snapshot))
		wait_begin(snapshot_waits(reader->snapshot), wait);
}

static void test_readers_are_woken_at_every_page_and_at_the_end(void **state)
{
	struct reader reader = {.wait.woken = read_more};
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	fixture_begin(&fixture, PAGING_CURSOR, &listing);
	reader.snapshot = view_of(listing);
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
	assert_false(snapshot_is_filling(reader.snapshot));
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

	fixture_begin(&fixture, PAGING_CURSOR, &listing);
	snapshot = view_of(listing);
	while (fixture.asked_count) {
		unsigned at = pages < tail ? pages : tail + (pages - tail) % length;

		snprintf(cursor, sizeof(cursor), "c%u", at);
		answer_names(&fixture, 0, "N", at * 2, 2, cursor);
		assert_true(++pages < 1000);
	}
	assert_false(listing->is_complete);
	assert_int_equal(snapshot_failure(snapshot)->errnum, EIO);
	snapshot_release(snapshot);
	fixture_free(&fixture);
	return pages;
}

static void test_a_circle_of_cursors_ends_with_an_error(void **state)
{
	(void)state;
	for (unsigned tail = 0; tail < 20; tail++)
		for (unsigned length = 1; length < 20; length++)
			assert_true(pages_until_a_circle_is_noticed(tail, length) <=
				    4 * (tail + length) + 4);
}

static void test_cursors_that_never_end_and_bring_nothing_end_with_an_error(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	unsigned pages = 0;
	char cursor[16];

	snapshot_release(view_of(listing));
	while (fixture->asked_count) {
		snprintf(cursor, sizeof(cursor), "c%u", pages);
		answer_names(fixture, 0, "N", 0, pages % 2 ? 2 : 0, cursor);
		assert_true(++pages < 200);
	}
	assert_int_equal(listing->last_failure.errnum, EIO);
}

static void test_empty_pages_are_no_end(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;

	snapshot_release(view_of(listing));
	answer_names(fixture, 0, "N", 0, 0, "1");
	answer_names(fixture, 0, "N", 0, 1, "2");
	answer_names(fixture, 0, "N", 0, 0, "3");
	answer_names(fixture, 0, "N", 1, 1, NULL);
	assert_whole(fixture, listing, 2);
}

/* --- waiters */

static void test_a_woken_reader_may_release_the_store(void **state)
{
	static const enum paging pagings[] = {PAGING_CURSOR, PAGING_NUMBERED};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct lookup_probe lookup_probe = {0};
		struct fixture fixture;
		struct listing *listing;

		fixture_begin(&fixture, pagings[i % 2], &listing);
		lookup_probe.store = store_reference(listing_store(listing));
		snapshot_release(view_of(listing));
		/* Waits for the walk, and is the last to hold the store. */
		listing->single_lookups = 100;
		start_lookup(&fixture, &lookup_probe, listing, "N1");
		listing_local_delete(catalog_stores(fixture.catalog), "store");
		if (i < 2)
			answer_names(&fixture, 0, "N", 0, 2, "more");
		else
			call_fails(&fixture, 0, ENOENT);
		assert_int_equal(lookup_probe.done, 1);
		assert_null(lookup_probe.store);
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
	restarter->next = view_of(restarter->listing);
}

static void test_a_woken_reader_may_begin_the_next_walk(void **state)
{
	struct restarter restarter = {.wait.woken = begin_another};
	struct lookup_probe seekers[2] = {0};
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	fixture_begin(&fixture, PAGING_CURSOR, &listing);
	restarter.listing = listing;
	snapshot_release(view_of(listing));
	listing->single_lookups = 100;
	start_lookup(&fixture, &seekers[0], listing, "ABSENT");
	wait_begin(snapshot_waits(listing->next), &restarter.wait);
	start_lookup(&fixture, &seekers[1], listing, "ABSENT");
	answer_names(&fixture, 0, "N", 0, 2, NULL);
	/* A waiter that was woken after that asks once more, by itself: all was forgotten before it
	 * had its answer. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_CURSOR(test_pages_by_cursor_are_asked_for_one_after_the_other),
		TEST_CURSOR(test_readers_share_one_walk),
		cmocka_unit_test(test_readers_are_woken_at_every_page_and_at_the_end),
		cmocka_unit_test(test_a_circle_of_cursors_ends_with_an_error),
		TEST_CURSOR(test_cursors_that_never_end_and_bring_nothing_end_with_an_error),
		TEST_CURSOR(test_empty_pages_are_no_end),
		cmocka_unit_test(test_a_woken_reader_may_release_the_store),
		cmocka_unit_test(test_a_woken_reader_may_begin_the_next_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
