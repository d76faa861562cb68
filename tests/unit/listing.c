/* Listings: how long they are fresh, and how pages, single calls and our own changes come together in them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog_fixture.h"
#include "check.h"
#include "store/catalog.h"

static void begin(struct fixture *fixture, struct listing **listing)
{
	fixture_make(fixture, PAGING_CURSOR);
	fixture_start(fixture);
	*listing = store_secrets(fixture_store(fixture, "store"));
}

static struct snapshot *view(struct listing *listing)
{
	struct failure failure = {0};
	struct snapshot *snapshot = listing_view(listing, &failure);

	assert_non_null(snapshot);
	return snapshot;
}

/* Opens the directory, and answers the walk that this begins. */
static void walk(struct fixture *fixture, struct listing *listing, unsigned from, unsigned count)
{
	snapshot_release(view(listing));
	assert_int_equal(fixture->asked_count, 1);
	answer_names(fixture, 0, "N", from, count, NULL);
	assert_int_equal(fixture->asked_count, 0);
}

static const struct record *known(struct listing *listing, const char *name)
{
	const struct record *record;

	listing_known(listing, name, &record);
	return record;
}

static uint32_t serial_of(struct listing *listing, const char *name)
{
	const struct record *record = known(listing, name);

	return record ? record->serial : 0;
}

static void told(struct listing *listing, const char *name, const char *id)
{
	struct entry entry = entry_of(name, id);

	assert_int_equal(listing_told(listing, name, id ? &entry : NULL), 0);
}

static const struct record *own_put(struct listing *listing, const char *name, const char *id)
{
	struct entry entry = entry_of(name, id);
	const struct record *record = listing_own_put(listing, &entry, 0);

	assert_non_null(record);
	return record;
}

/* --- how fresh --------------------------------------------------------------------------------------------------------------- */

static void test_a_listing_is_fresh_for_its_time(void **state)
{
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, &listing);
	walk(&fixture, listing, 0, 3);
	assert_int_equal(listing_time_left(listing, NULL), 60000);
	pass_time(&fixture, 59999);
	assert_int_equal(listing_time_left(listing, NULL), 1);
	assert_string_equal(names_of(&fixture, listing), "N0 N1 N2");
	assert_int_equal(fixture.asked_count, 0);
	pass_time(&fixture, 1);
	assert_int_equal(listing_time_left(listing, NULL), 0);
	/* The old view at once, and a walk behind it. */
	assert_string_equal(names_of(&fixture, listing), "N0 N1 N2");
	assert_int_equal(fixture.asked_count, 1);
	fixture_free(&fixture);
}

static void test_it_lives_ten_times_as_long_as_the_walk_took(void **state)
{
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, &listing);
	snapshot_release(view(listing));
	pass_time(&fixture, 20000);
	answer_names(&fixture, 0, "N", 0, 3, NULL);
	assert_int_equal(listing_time_left(listing, NULL), 200000);
	/* A walk that fails after long waiting says nothing of what a walk costs. */
	pass_time(&fixture, 200000);
	snapshot_release(view(listing));
	pass_time(&fixture, 30000);
	call_fails(&fixture, 0, ETIMEDOUT);
	pass_time(&fixture, 4000);
	snapshot_release(view(listing));
	answer_names(&fixture, 0, "N", 0, 3, NULL);
	assert_int_equal(listing_time_left(listing, NULL), 60000);
	fixture_free(&fixture);
}

static void test_indefinite_and_minimal(void **state)
{
	static const struct {
		uint64_t ttl;
		bool minimal;
		uint64_t left;
	} cases[] = {{CLOCK_NEVER, false, CLOCK_NEVER}, {0, true, 1000}, {0, false, 0}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture fixture;
		struct listing *listing;

		fixture_make(&fixture, PAGING_CURSOR);
		fixture.options.ttl = cases[i].ttl;
		fixture.options.minimal = cases[i].minimal;
		fixture_start(&fixture);
		listing = store_secrets(fixture_store(&fixture, "store"));
		walk(&fixture, listing, 0, 3);
		assert_int_equal(listing_time_left(listing, NULL), cases[i].left);
		assert_int_equal(listing_time_left(listing, known(listing, "N0")), cases[i].left);
		fixture_free(&fixture);
	}
}

static void test_what_was_asked_for_alone_has_a_time_of_its_own(void **state)
{
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, &listing);
	walk(&fixture, listing, 0, 3);
	pass_time(&fixture, 61000);
	told(listing, "N1", "id");
	told(listing, "GONE", NULL);
	assert_true(listing_time_left(listing, known(listing, "N1")) > 59000);
	assert_int_equal(fixture.asked_count, 0);
	/* An absence is believed for a shorter time. */
	pass_time(&fixture, 4000);
	assert_null(known(listing, "GONE"));
	assert_int_equal(fixture.asked_count, 0);
	pass_time(&fixture, 2000);
	assert_null(known(listing, "GONE"));
	assert_int_equal(fixture.asked_count, 1);
	fixture_free(&fixture);
}

static void test_what_expires_vanishes_by_itself(void **state)
{
	struct script script = {.count = 1};
	struct fixture fixture;
	struct listing *listing;
	uint32_t serial;

	(void)state;
	begin(&fixture, &listing);
	snapshot_release(view(listing));
	script.entries[0] = entry_of("A", NULL);
	script.entries[0].expires_at = (SERVICE_TIME + 10) * NANOSECONDS;
	answer(&fixture, 0, &script);
	serial = serial_of(listing, "A");
	assert_int_equal(listing_time_left(listing, known(listing, "A")), 10000);
	pass_time(&fixture, 9900);
	assert_non_null(catalog_record(fixture.catalog, serial));
	assert_string_equal(names_of(&fixture, listing), "A");
	assert_int_equal(listing_time_left(listing, known(listing, "A")), 100);
	pass_time(&fixture, 100);
	assert_null(catalog_record(fixture.catalog, serial));
	assert_null(known(listing, "A"));
	assert_string_equal(names_of(&fixture, listing), "");
	assert_int_equal(fixture.calls, 1);
	fixture_free(&fixture);
}

/* --- refreshes --------------------------------------------------------------------------------------------------------------- */

static void test_an_entry_keeps_its_number_as_long_as_it_is_there(void **state)
{
	struct fixture fixture;
	struct listing *listing;
	uint32_t serial;

	(void)state;
	begin(&fixture, &listing);
	walk(&fixture, listing, 0, 3);
	serial = serial_of(listing, "N1");
	for (int i = 0; i < 5; i++) {
		pass_time(&fixture, 61000);
		walk(&fixture, listing, 1, 3);
		assert_int_equal(serial_of(listing, "N1"), serial);
		assert_string_equal(catalog_record(fixture.catalog, serial)->name, "N1");
	}
	pass_time(&fixture, 61000);
	walk(&fixture, listing, 2, 3);
	assert_null(catalog_record(fixture.catalog, serial));
	pass_time(&fixture, 61000);
	walk(&fixture, listing, 1, 3);
	assert_int_not_equal(serial_of(listing, "N1"), serial);
	fixture_free(&fixture);
}

static void test_a_refresh_that_fails_changes_nothing(void **state)
{
	struct fixture fixture;
	struct listing *listing;
	uint32_t serial;

	(void)state;
	begin(&fixture, &listing);
	walk(&fixture, listing, 0, 3);
	serial = serial_of(listing, "N1");
	pass_time(&fixture, 61000);
	snapshot_release(view(listing));
	answer_names(&fixture, 0, "N", 1, 1, "more");
	call_fails(&fixture, 0, EIO);
	assert_string_equal(names_of(&fixture, listing), "N0 N1 N2");
	assert_int_equal(serial_of(listing, "N1"), serial);
	assert_string_equal(catalog_record(fixture.catalog, serial)->name, "N1");
	assert_true(listing_is_stale(listing, NULL));
	fixture_free(&fixture);
}

static void test_a_first_walk_that_fails_has_taught_something(void **state)
{
	struct fixture fixture;
	struct listing *listing;
	uint32_t serial;

	(void)state;
	begin(&fixture, &listing);
	told(listing, "BEFORE", "id");
	told(listing, "ABSENT", NULL);
	serial = serial_of(listing, "BEFORE");
	snapshot_release(view(listing));
	answer_names(&fixture, 0, "N", 0, 2, "more");
	call_fails(&fixture, 0, EIO);
	assert_non_null(known(listing, "N1"));
	assert_int_equal(serial_of(listing, "BEFORE"), serial);
	assert_string_equal(catalog_record(fixture.catalog, serial)->name, "BEFORE");
	assert_false(listing->complete);
	/* The next one may be whole. */
	walk(&fixture, listing, 0, 3);
	assert_string_equal(names_of(&fixture, listing), "N0 N1 N2");
	assert_null(catalog_record(fixture.catalog, serial));
	fixture_free(&fixture);
}

static void test_a_view_outlives_the_refresh(void **state)
{
	struct snapshot *old;
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, &listing);
	walk(&fixture, listing, 0, 3);
	old = view(listing);
	pass_time(&fixture, 61000);
	walk(&fixture, listing, 1, 3);
	/* Of the old ones those that are still there, and what they are now. */
	assert_string_equal(names_in(&fixture, old), "N1 N2");
	assert_string_equal(names_of(&fixture, listing), "N1 N2 N3");
	snapshot_release(old);
	fixture_free(&fixture);
}

static void test_a_walk_that_began_before_a_refresh_is_no_answer_to_it(void **state)
{
	struct snapshot *before, *after;
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, &listing);
	before = view(listing);
	answer_names(&fixture, 0, "N", 0, 2, "more");
	catalog_refresh(fixture.catalog);
	after = view(listing);
	assert_true(snapshot_is_outdated(after));
	snapshot_release(after);
	answer_names(&fixture, 0, "N", 2, 1, NULL);
	assert_false(snapshot_is_outdated(before));
	assert_int_equal(listing_time_left(listing, NULL), 0);
	after = view(listing);
	assert_ptr_not_equal(after, before);
	answer_names(&fixture, 0, "N", 1, 2, NULL);
	assert_string_equal(names_in(&fixture, after), "N1 N2");
	assert_int_equal(listing_time_left(listing, NULL), 60000);
	snapshot_release(before);
	snapshot_release(after);
	fixture_free(&fixture);
}

/* --- our own changes ----------------------------------------------------------------------------------------------------------- */

static void test_our_own_changes_are_seen_at_once(void **state)
{
	struct snapshot *open;
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, &listing);
	walk(&fixture, listing, 0, 3);
	open = view(listing);
	own_put(listing, "NEW", "id");
	listing_own_delete(listing, "N1");
	assert_string_equal(names_of(&fixture, listing), "N0 N2 NEW");
	assert_string_equal(names_in(&fixture, open), "N0 N2 NEW");
	assert_null(known(listing, "N1"));
	assert_int_equal(fixture.calls, 1);
	snapshot_release(open);
	fixture_free(&fixture);
}

static void test_a_walk_that_began_before_our_change_does_not_undo_it(void **state)
{
	struct fixture fixture;
	struct listing *listing;
	struct snapshot *open;
	uint32_t serial;

	(void)state;
	begin(&fixture, &listing);
	walk(&fixture, listing, 0, 6);
	pass_time(&fixture, 61000);
	snapshot_release(view(listing));
	open = snapshot_reference(listing->filling);
	answer_names(&fixture, 0, "N", 0, 2, "more");
	/* On a page that has come, on one that will, and new. */
	listing_own_delete(listing, "N1");
	listing_own_delete(listing, "N3");
	serial = own_put(listing, "N4", "ours")->serial;
	own_put(listing, "NEW", "id");
	answer_names(&fixture, 0, "N", 2, 4, NULL);
	assert_string_equal(names_of(&fixture, listing), "N0 N4 NEW N2 N5");
	assert_string_equal(names_in(&fixture, open), "N0 N4 NEW N2 N5");
	assert_string_equal(record_id(known(listing, "N4")), "ours");
	assert_int_equal(serial_of(listing, "N4"), serial);
	/* The walk after it does: by then the service must know. */
	pass_time(&fixture, 61000);
	walk(&fixture, listing, 0, 5);
	assert_string_equal(names_of(&fixture, listing), "N0 N1 N2 N3 N4");
	assert_null(record_id(known(listing, "N4")));
	snapshot_release(open);
	fixture_free(&fixture);
}

static void test_our_changes_outlive_a_walk_that_fails(void **state)
{
	struct fixture fixture;
	struct listing *listing;
	uint32_t serial;

	(void)state;
	begin(&fixture, &listing);
	walk(&fixture, listing, 0, 3);
	pass_time(&fixture, 61000);
	snapshot_release(view(listing));
	answer_names(&fixture, 0, "N", 0, 1, "more");
	serial = own_put(listing, "NEW", "id")->serial;
	listing_own_delete(listing, "N2");
	call_fails(&fixture, 0, EIO);
	assert_string_equal(names_of(&fixture, listing), "N0 N1 NEW");
	assert_string_equal(catalog_record(fixture.catalog, serial)->name, "NEW");
	fixture_free(&fixture);
}

static void test_made_anew_it_is_another_entry(void **state)
{
	struct entry entry = entry_of("N1", "new");
	struct fixture fixture;
	struct listing *listing;
	uint32_t before, after;

	(void)state;
	begin(&fixture, &listing);
	walk(&fixture, listing, 0, 3);
	before = serial_of(listing, "N1");
	listing_own_delete(listing, "N1");
	assert_null(catalog_record(fixture.catalog, before));
	after = own_put(listing, "N1", "new")->serial;
	assert_int_not_equal(before, after);
	/* With a number of its own it takes the place of the one that is there. */
	before = catalog_serial(fixture.catalog);
	assert_non_null(listing_own_put(listing, &entry, before));
	assert_null(catalog_record(fixture.catalog, after));
	assert_int_equal(serial_of(listing, "N1"), before);
	fixture_free(&fixture);
}

static void test_a_name_is_shown_once_wherever_its_record_moved(void **state)
{
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	begin(&fixture, &listing);
	walk(&fixture, listing, 0, 3);
	own_put(listing, "N1", "with an id it needs more room");
	assert_string_equal(names_of(&fixture, listing), "N0 N1 N2");
	own_put(listing, "N1", "and with a longer one more than before");
	assert_string_equal(names_of(&fixture, listing), "N0 N1 N2");
	listing_own_delete(listing, "N1");
	assert_string_equal(names_of(&fixture, listing), "N0 N2");
	own_put(listing, "N1", "id");
	assert_string_equal(names_of(&fixture, listing), "N0 N2 N1");
	own_put(listing, "N1", "and with a still longer one much more than it needed before");
	assert_string_equal(names_of(&fixture, listing), "N0 N2 N1");
	/* Another entry in its place, without its having been deleted. */
	{
		struct entry entry = entry_of("N2", "theirs, which needs more room");

		assert_non_null(listing_own_put(listing, &entry, catalog_serial(fixture.catalog)));
	}
	assert_string_equal(names_of(&fixture, listing), "N0 N1 N2");
	fixture_free(&fixture);
}

/* A new name comes by a page and from us at once, under two numbers: one of them is forgotten, wholly. */
static void test_no_number_stands_for_what_was_freed(void **state)
{
	struct entry entry = entry_of("NEW", "ours");
	struct fixture fixture;
	struct listing *listing;
	uint32_t ours, theirs;

	(void)state;
	begin(&fixture, &listing);
	walk(&fixture, listing, 0, 3);
	pass_time(&fixture, 61000);
	snapshot_release(view(listing));
	answer_names(&fixture, 0, "NEW", 0, 0, "more");
	{
		struct script script = {.cursor = (char *)(uintptr_t) "on"};

		script_add(&script, "NEW");
		answer(&fixture, 0, &script);
		script_clear(&script);
	}
	theirs = snapshot_find(listing->filling, "NEW")->serial;
	ours = catalog_serial(fixture.catalog);
	assert_non_null(listing_own_put(listing, &entry, ours));
	assert_null(catalog_record(fixture.catalog, theirs));
	assert_string_equal(catalog_record(fixture.catalog, ours)->name, "NEW");
	answer_names(&fixture, 0, "N", 0, 3, NULL);
	pass_time(&fixture, 61000);
	walk(&fixture, listing, 0, 3);
	assert_null(catalog_record(fixture.catalog, ours));
	assert_null(catalog_record(fixture.catalog, theirs));
	fixture_free(&fixture);
}

/* What is put may come out of what is known: its texts then lie where it is put. */
static void test_an_entry_may_lie_in_the_record_it_replaces(void **state)
{
	struct entry_text text;
	struct entry entry;
	struct fixture fixture;
	struct listing *listing;
	const struct record *record;

	(void)state;
	begin(&fixture, &listing);
	entry = entry_of("A", "an id of some length");
	entry.status = "pending";
	entry.scopes = "workers:ai_gateway";
	entry.comment = "before";
	assert_non_null(listing_own_put(listing, &entry, 0));
	snapshot_release(view(listing)); /* a walk, so that it stands in two snapshots */
	record_entry(known(listing, "A"), &entry, &text);
	entry.status = "active, and for a long time to come";
	entry.comment = "x";
	record = listing_own_put(listing, &entry, 0);
	record_entry(record, &entry, &text);
	assert_string_equal(entry.id, "an id of some length");
	assert_string_equal(entry.scopes, "workers:ai_gateway");
	record_entry(snapshot_find(listing->current, "A"), &entry, &text);
	assert_string_equal(entry.scopes, "workers:ai_gateway");
	entry.status = NULL;
	record = listing_own_put(listing, &entry, 0);
	record_entry(record, &entry, &text);
	assert_string_equal(entry.scopes, "workers:ai_gateway");
	assert_string_equal(entry.comment, "x");
	record_entry(snapshot_find(listing->current, "A"), &entry, &text);
	assert_string_equal(entry.comment, "x");
	fixture_free(&fixture);
}

static void test_a_doubted_create_keeps_its_number_when_it_turns_out_to_be_there(void **state)
{
	struct fixture fixture;
	struct listing *listing;
	const struct record *record;
	uint32_t serial;

	(void)state;
	begin(&fixture, &listing);
	serial = catalog_serial(fixture.catalog);
	listing_doubt(listing, "A", serial);
	assert_int_equal(listing_known(listing, "A", &record), KNOWN_NOT);
	assert_null(catalog_record(fixture.catalog, serial));
	told(listing, "A", "id");
	assert_int_equal(serial_of(listing, "A"), serial);
	/* The same, found by a walk. */
	serial = catalog_serial(fixture.catalog);
	listing_doubt(listing, "N1", serial);
	walk(&fixture, listing, 0, 3);
	assert_int_equal(serial_of(listing, "N1"), serial);
	fixture_free(&fixture);
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
	walk(&fixture, listing, 0, 3);
	open = view(listing);
	listing_doubt(listing, "DOUBTED", 0);
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "T%u", i);
		own_put(listing, name, "id");
		listing_own_delete(listing, name);
		if (i % 100 == 0)
			pass_time(&fixture, 1);
	}
	pass_time(&fixture, 1);
	assert_true(listing->current->indexed < 2000);
	assert_true(listing_doubts(listing, "DOUBTED"));
	assert_string_equal(names_of(&fixture, listing), "N0 N1 N2");
	assert_string_equal(names_in(&fixture, open), "N0 N1 N2");
	for (unsigned i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "N%u", i);
		assert_string_equal(catalog_record(fixture.catalog, serial_of(listing, name))->name, name);
	}
	snapshot_release(open);
	fixture_free(&fixture);
}

/* --- stores ---------------------------------------------------------------------------------------------------------------------- */

static void walk_stores(struct fixture *fixture, const struct entry *entries, size_t count)
{
	struct listing *stores = catalog_stores(fixture->catalog);
	struct script script = {.count = count};

	memcpy(script.entries, entries, count * sizeof(*entries));
	pass_time(fixture, 61000);
	snapshot_release(view(stores));
	assert_int_equal(ask_of(fixture->asked[0])->operation, OPERATION_LIST_STORES);
	answer(fixture, 0, &script);
}

static void test_two_stores_of_one_name_are_told_apart_by_their_ids(void **state)
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
	assert_string_equal(store_id(catalog_store(fixture.catalog, known(stores, "twin~id3"))), "id3");
	/* The first one goes: the other takes its name, and is not taken for it. */
	walk_stores(&fixture, twins + 1, 2);
	assert_string_equal(names_of(&fixture, stores), "other twin");
	assert_string_equal(store_id(catalog_store(fixture.catalog, known(stores, "twin"))), "id3");
	fixture_free(&fixture);
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
	assert_int_equal(catalog_stores(fixture.catalog)->current->left_out, 1);
	assert_string_equal(record_id(known(catalog_stores(fixture.catalog), name)), "id1");
	fixture_free(&fixture);
}

static void test_a_store_that_went_is_dropped_when_nobody_holds_it(void **state)
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
	a = store_reference(catalog_store(fixture.catalog, known(stores, "a")));
	b = catalog_store(fixture.catalog, known(stores, "b"));
	secret = own_put(store_secrets(a), "SECRET", NULL)->serial;
	walk_stores(&fixture, entries + 1, 1);
	assert_ptr_equal(catalog_store(fixture.catalog, known(stores, "b")), b);
	assert_null(known(stores, "a"));
	assert_non_null(catalog_record(fixture.catalog, secret));
	store_release(a);
	assert_null(catalog_record(fixture.catalog, secret));
	fixture_free(&fixture);
}

static void test_many_stores_have_numbers_that_are_given_again(void **state)
{
	struct listings listings = {0};
	struct listing made[1000] = {0};

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT(made); i++)
			assert_int_equal(listings_add(&listings, &made[i]), 0);
		for (size_t i = 0; i < COUNT(made); i++) {
			assert_true(made[i].number > 0 && made[i].number <= COUNT(made));
			assert_ptr_equal(listings.slots[made[i].number], &made[i]);
		}
		for (size_t i = 0; i < COUNT(made); i++)
			listings_remove(&listings, &made[(7 * i) % COUNT(made)]);
	}
	free(listings.slots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_listing_is_fresh_for_its_time),
		cmocka_unit_test(test_it_lives_ten_times_as_long_as_the_walk_took),
		cmocka_unit_test(test_indefinite_and_minimal),
		cmocka_unit_test(test_what_was_asked_for_alone_has_a_time_of_its_own),
		cmocka_unit_test(test_what_expires_vanishes_by_itself),
		cmocka_unit_test(test_an_entry_keeps_its_number_as_long_as_it_is_there),
		cmocka_unit_test(test_a_refresh_that_fails_changes_nothing),
		cmocka_unit_test(test_a_first_walk_that_fails_has_taught_something),
		cmocka_unit_test(test_a_view_outlives_the_refresh),
		cmocka_unit_test(test_a_walk_that_began_before_a_refresh_is_no_answer_to_it),
		cmocka_unit_test(test_our_own_changes_are_seen_at_once),
		cmocka_unit_test(test_a_walk_that_began_before_our_change_does_not_undo_it),
		cmocka_unit_test(test_our_changes_outlive_a_walk_that_fails),
		cmocka_unit_test(test_made_anew_it_is_another_entry),
		cmocka_unit_test(test_a_name_is_shown_once_wherever_its_record_moved),
		cmocka_unit_test(test_no_number_stands_for_what_was_freed),
		cmocka_unit_test(test_an_entry_may_lie_in_the_record_it_replaces),
		cmocka_unit_test(test_a_doubted_create_keeps_its_number_when_it_turns_out_to_be_there),
		cmocka_unit_test(test_creating_and_deleting_without_end_costs_no_memory),
		cmocka_unit_test(test_two_stores_of_one_name_are_told_apart_by_their_ids),
		cmocka_unit_test(test_of_two_stores_whose_name_leaves_no_room_for_the_id_one_is_left_out),
		cmocka_unit_test(test_a_store_that_went_is_dropped_when_nobody_holds_it),
		cmocka_unit_test(test_many_stores_have_numbers_that_are_given_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
