/* Our own changes in a listing: seen at once, and undone by no page or answer that is older. */
#include <errno.h>
#include <stdio.h>

#include "catalog_fixture.h"
#include "check.h"
#include "fetch/catalog.h"

static void test_our_own_changes_are_seen_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct snapshot *open;

	walk_through(fixture, listing, 0, 3);
	open = view_of(listing);
	own_put(listing, "NEW", "id");
	listing_local_delete(listing, "N1");
	assert_string_equal(names_of(fixture, listing), "N0 N2 NEW");
	assert_string_equal(names_in(fixture, open), "N0 N2 NEW");
	assert_null(known_of(listing, "N1"));
	assert_int_equal(fixture->calls, 1);
	snapshot_release(open);
}

static void test_a_walk_that_began_before_our_change_does_not_undo_it(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct snapshot *open;
	uint32_t entry_id;

	walk_through(fixture, listing, 0, 6);
	advance_clock(fixture, 61000);
	snapshot_release(view_of(listing));
	open = snapshot_reference(listing->next);
	answer_names(fixture, 0, "N", 0, 2, "more");
	/* On a page that has come, on one that will, and new. */
	listing_local_delete(listing, "N1");
	listing_local_delete(listing, "N3");
	entry_id = own_put(listing, "N4", "ours")->entry_id;
	own_put(listing, "NEW", "id");
	answer_names(fixture, 0, "N", 2, 4, NULL);
	assert_string_equal(names_of(fixture, listing), "N0 N4 NEW N2 N5");
	assert_string_equal(names_in(fixture, open), "N0 N4 NEW N2 N5");
	assert_string_equal(record_id(known_of(listing, "N4")), "ours");
	assert_int_equal(entry_id_of(listing, "N4"), entry_id);
	/* The walk after it does: by then the service must know. */
	advance_clock(fixture, 61000);
	walk_through(fixture, listing, 0, 5);
	assert_string_equal(names_of(fixture, listing), "N0 N1 N2 N3 N4");
	assert_null(record_id(known_of(listing, "N4")));
	snapshot_release(open);
}

static void test_our_changes_outlive_a_walk_that_fails(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	uint32_t entry_id;

	walk_through(fixture, listing, 0, 3);
	advance_clock(fixture, 61000);
	snapshot_release(view_of(listing));
	answer_names(fixture, 0, "N", 0, 1, "more");
	entry_id = own_put(listing, "NEW", "id")->entry_id;
	listing_local_delete(listing, "N2");
	call_fails(fixture, 0, EIO);
	assert_string_equal(names_of(fixture, listing), "N0 N1 NEW");
	assert_string_equal(catalog_record(fixture->catalog, entry_id)->name, "NEW");
}

static void test_a_name_created_again_is_another_entry(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct entry entry = entry_of("N1", "new");
	uint32_t before, after;

	walk_through(fixture, listing, 0, 3);
	before = entry_id_of(listing, "N1");
	listing_local_delete(listing, "N1");
	assert_null(catalog_record(fixture->catalog, before));
	after = own_put(listing, "N1", "new")->entry_id;
	assert_int_not_equal(before, after);
	/* With a number of its own it takes the place of the one that is there. */
	before = catalog_new_entry_id(fixture->catalog);
	assert_non_null(listing_local_put(listing, &entry, before));
	assert_null(catalog_record(fixture->catalog, after));
	assert_int_equal(entry_id_of(listing, "N1"), before);
}

static void test_a_name_is_shown_once_wherever_its_record_moved(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;

	walk_through(fixture, listing, 0, 3);
	own_put(listing, "N1", "with an id it needs more room");
	assert_string_equal(names_of(fixture, listing), "N0 N1 N2");
	own_put(listing, "N1", "and with a longer one more than before");
	assert_string_equal(names_of(fixture, listing), "N0 N1 N2");
	listing_local_delete(listing, "N1");
	assert_string_equal(names_of(fixture, listing), "N0 N2");
	own_put(listing, "N1", "id");
	assert_string_equal(names_of(fixture, listing), "N0 N2 N1");
	own_put(listing, "N1", "and with a still longer one much more than it needed before");
	assert_string_equal(names_of(fixture, listing), "N0 N2 N1");
	/* Another entry in its place, without its having been deleted. */
	{
		struct entry entry = entry_of("N2", "theirs, which needs more room");

		assert_non_null(
			listing_local_put(listing, &entry, catalog_new_entry_id(fixture->catalog)));
	}
	assert_string_equal(names_of(fixture, listing), "N0 N1 N2");
}

/* A new name arrives by a page and by a local change at once, under two numbers: one of them is
 * forgotten, wholly. */
static void test_no_number_has_a_freed_record(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct entry entry = entry_of("NEW", "ours");
	uint32_t ours, theirs;

	walk_through(fixture, listing, 0, 3);
	advance_clock(fixture, 61000);
	snapshot_release(view_of(listing));
	answer_names(fixture, 0, "NEW", 0, 0, "more");
	{
		struct script script = {.cursor = (char *)(uintptr_t) "on"};

		script_add(&script, "NEW");
		answer(fixture, 0, &script);
		script_clear(&script);
	}
	theirs = snapshot_find(listing->next, "NEW")->entry_id;
	ours = catalog_new_entry_id(fixture->catalog);
	assert_non_null(listing_local_put(listing, &entry, ours));
	assert_null(catalog_record(fixture->catalog, theirs));
	assert_string_equal(catalog_record(fixture->catalog, ours)->name, "NEW");
	answer_names(fixture, 0, "N", 0, 3, NULL);
	advance_clock(fixture, 61000);
	walk_through(fixture, listing, 0, 3);
	assert_null(catalog_record(fixture->catalog, ours));
	assert_null(catalog_record(fixture->catalog, theirs));
}

/* What is put may come out of what is known: its texts then lie where it is put. */
static void test_an_entry_may_lie_in_the_record_it_replaces(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	struct entry_text text;
	struct entry entry;
	const struct record *record;

	entry = entry_of("A", "an id of some length");
	entry.status = "pending";
	entry.scopes = "workers:ai_gateway";
	entry.comment = "before";
	assert_non_null(listing_local_put(listing, &entry, 0));
	snapshot_release(view_of(listing)); /* a walk, so that it is in two snapshots */
	record_entry(known_of(listing, "A"), &entry, &text);
	entry.status = "active, and for a long time to come";
	entry.comment = "x";
	record = listing_local_put(listing, &entry, 0);
	record_entry(record, &entry, &text);
	assert_string_equal(entry.id, "an id of some length");
	assert_string_equal(entry.scopes, "workers:ai_gateway");
	record_entry(snapshot_find(listing->current, "A"), &entry, &text);
	assert_string_equal(entry.scopes, "workers:ai_gateway");
	entry.status = NULL;
	record = listing_local_put(listing, &entry, 0);
	record_entry(record, &entry, &text);
	assert_string_equal(entry.scopes, "workers:ai_gateway");
	assert_string_equal(entry.comment, "x");
	record_entry(snapshot_find(listing->current, "A"), &entry, &text);
	assert_string_equal(entry.comment, "x");
}

static void test_an_indeterminate_create_keeps_its_number_when_it_is_found(void **state)
{
	struct fixture *fixture = *state;
	struct listing *listing = fixture->listing;
	const struct record *record;
	uint32_t entry_id;

	entry_id = catalog_new_entry_id(fixture->catalog);
	listing_invalidate(listing, "A", entry_id);
	assert_int_equal(listing_query(listing, "A", &record), CACHE_MISS);
	assert_null(catalog_record(fixture->catalog, entry_id));
	apply_answer(listing, "A", "id");
	assert_int_equal(entry_id_of(listing, "A"), entry_id);
	/* The same, found by a walk. */
	entry_id = catalog_new_entry_id(fixture->catalog);
	listing_invalidate(listing, "N1", entry_id);
	walk_through(fixture, listing, 0, 3);
	assert_int_equal(entry_id_of(listing, "N1"), entry_id);
}

static void test_creating_and_deleting_without_end_costs_no_memory(void **state)
{
	struct fixture fixture;
	struct listing *listing;
	struct snapshot *open;
	char name[32];

	(void)state;
	fixture_make(&fixture, PAGING_CURSOR);
	fixture.options.ttl = CLOCK_NEVER;
	fixture_start(&fixture);
	listing = store_secrets(fixture_store(&fixture, "store"));
	walk_through(&fixture, listing, 0, 3);
	open = view_of(listing);
	listing_invalidate(listing, "DOUBTED", 0);
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "T%u", i);
		own_put(listing, name, "id");
		listing_local_delete(listing, name);
		if (i % 100 == 0)
			advance_clock(&fixture, 1);
	}
	advance_clock(&fixture, 1);
	assert_true(listing->current->indexed < 2000);
	assert_true(listing_is_invalid(listing, "DOUBTED"));
	assert_string_equal(names_of(&fixture, listing), "N0 N1 N2");
	assert_string_equal(names_in(&fixture, open), "N0 N1 N2");
	for (unsigned i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "N%u", i);
		assert_string_equal(
			catalog_record(fixture.catalog, entry_id_of(listing, name))->name, name);
	}
	snapshot_release(open);
	fixture_free(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_CURSOR(test_our_own_changes_are_seen_at_once),
		TEST_CURSOR(test_a_walk_that_began_before_our_change_does_not_undo_it),
		TEST_CURSOR(test_our_changes_outlive_a_walk_that_fails),
		TEST_CURSOR(test_a_name_created_again_is_another_entry),
		TEST_CURSOR(test_a_name_is_shown_once_wherever_its_record_moved),
		TEST_CURSOR(test_no_number_has_a_freed_record),
		TEST_CURSOR(test_an_entry_may_lie_in_the_record_it_replaces),
		TEST_CURSOR(test_an_indeterminate_create_keeps_its_number_when_it_is_found),
		cmocka_unit_test(test_creating_and_deleting_without_end_costs_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
