/*
 * The cache alone, without catalog and network: whatever is merged into a listing in whatever
 * order, its records and its state keep to the tables in the headers, and local changes are not
 * undone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/cache.h"
#include "cache/invariants.h"
#include "check.h"

enum { NAMES = 24 };

struct fixture {
	struct loop *loop;
	struct cache cache;
	struct listing listing;
	int walk; /* takes the place of the walk: the cache uses only its address */
};

static void fixture_begin(struct fixture *fixture)
{
	static const struct cache_options options = {.ttl = 60000, .negative_ttl = 5000};

	assert_int_equal(loop_new(&fixture->loop), 0);
	cache_init(&fixture->cache, fixture->loop, &options);
	assert_int_equal(listing_init(&fixture->listing, &fixture->cache, NULL,
				      (struct store *)(void *)fixture),
			 0);
}

static void fixture_end(struct fixture *fixture)
{
	listing_finish(&fixture->listing);
	cache_free(&fixture->cache);
	loop_free(fixture->loop);
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	assert_non_null(*state);
	fixture_begin(*state);
	return 0;
}

static int teardown(void **state)
{
	fixture_end(*state);
	free(*state);
	return 0;
}

static const char *name_of(unsigned number)
{
	static char name[32];

	snprintf(name, sizeof name, "NAME_%u", number);
	return name;
}

static struct entry entry_of(unsigned number, unsigned length)
{
	static char comment[128];

	memset(comment, 'c', sizeof comment);
	comment[length % sizeof comment] = '\0';
	return (struct entry){.name = name_of(number),
			      .id = name_of(number),
			      .comment = comment,
			      .created_at = TIME_UNKNOWN,
			      .modified_at = TIME_UNKNOWN,
			      .expires_at = TIME_UNKNOWN,
			      .livemode = -1};
}

/* A walk as fetch begins and ends it. */
static void begin_walk(struct fixture *fixture)
{
	struct listing *listing = &fixture->listing;

	listing->next = snapshot_new();
	assert_non_null(listing->next);
	listing->next->state = SNAPSHOT_FILLING;
	listing_walk_started(listing);
	listing->pass = (struct walk_pass){0};
	listing->walk = (struct walk *)(void *)&fixture->walk;
}

static void end_walk(struct fixture *fixture, int error)
{
	const struct failure failure = {.errnum = error};

	fixture->listing.walk = NULL;
	listing_walk_done(&fixture->listing, 1, error ? &failure : NULL);
}

static void put(struct fixture *fixture, unsigned number)
{
	struct entry entry = entry_of(number, 1);

	assert_non_null(listing_local_put(&fixture->listing, &entry, 0));
}

static void show(struct fixture *fixture, unsigned number)
{
	struct entry entry = entry_of(number, 2);

	assert_int_equal(listing_apply_page_entry(&fixture->listing, &entry), 0);
}

static enum cache_result peek(struct fixture *fixture, unsigned number)
{
	const struct record *record;

	return listing_peek(&fixture->listing, name_of(number), &record);
}

/* True if a directory shows the record: its entry exists and has not been renamed. */
static bool is_shown(struct fixture *fixture, const struct record *record)
{
	const struct record *present = cache_record(&fixture->cache, record->entry_id);

	return present && !strcmp(present->name, record->name);
}

static void test_a_page_does_not_undo_a_local_change(void **state)
{
	struct fixture *fixture = *state;

	put(fixture, 0);
	begin_walk(fixture);
	listing_local_delete(&fixture->listing, name_of(0));
	put(fixture, 1);
	show(fixture, 0);
	end_walk(fixture, 0);
	assert_int_equal(peek(fixture, 0), CACHE_NEGATIVE);
	assert_int_equal(peek(fixture, 1), CACHE_HIT);
	/* The next walk is younger than the change. */
	begin_walk(fixture);
	show(fixture, 0);
	end_walk(fixture, 0);
	assert_int_equal(peek(fixture, 0), CACHE_HIT);
	assert_int_equal(peek(fixture, 1), CACHE_NEGATIVE);
}

static void test_a_failed_walk_keeps_a_complete_listing(void **state)
{
	struct fixture *fixture = *state;

	begin_walk(fixture);
	show(fixture, 0);
	end_walk(fixture, EIO);
	assert_int_equal(peek(fixture, 0), CACHE_HIT);
	assert_int_equal(peek(fixture, 1), CACHE_MISS);
	begin_walk(fixture);
	show(fixture, 1);
	end_walk(fixture, 0);
	begin_walk(fixture);
	show(fixture, 2);
	end_walk(fixture, EIO);
	assert_int_equal(peek(fixture, 1), CACHE_HIT);
	assert_int_equal(peek(fixture, 2), CACHE_NEGATIVE);
	assert_true(listing_last_refresh_failed(&fixture->listing));
}

static void test_a_name_that_the_last_round_missed_is_deleted_and_comes_back_once(void **state)
{
	struct fixture *fixture = *state;
	const struct record *record;
	uint64_t position = 0;
	uint32_t old_id;

	begin_walk(fixture);
	show(fixture, 0);
	old_id = listing_peek_any(&fixture->listing, name_of(0))->entry_id;
	fixture->listing.pass.number = 1; /* the count was off */
	show(fixture, 1);
	end_walk(fixture, 0);
	listing_check(&fixture->listing);
	assert_int_equal(peek(fixture, 0), CACHE_NEGATIVE);
	assert_null(cache_record(&fixture->cache, old_id));
	/* A lost create of this name: what turns out to exist is not the one that was deleted. */
	listing_invalidate(&fixture->listing, name_of(0), 0);
	assert_int_equal(peek(fixture, 0), CACHE_MISS);
	put(fixture, 0);
	assert_int_equal(peek(fixture, 0), CACHE_HIT);
	assert_true(listing_peek_any(&fixture->listing, name_of(0))->entry_id != old_id);
	while ((record = snapshot_next(fixture->listing.current, &position)))
		assert_ptr_equal(cache_record(&fixture->cache, record->entry_id), record);
}

static void rename_entry(struct fixture *fixture, unsigned from, unsigned to)
{
	uint32_t entry_id = listing_peek_any(&fixture->listing, name_of(from))->entry_id;
	char old[32];

	strcpy(old, name_of(from));
	put(fixture, to);
	listing_local_rename(&fixture->listing, old, name_of(to), entry_id);
}

static void test_a_name_that_grew_and_went_away_and_back_is_shown_once(void **state)
{
	struct fixture *fixture = *state;
	struct entry entry;
	const struct record *record;
	uint64_t position = 0;
	unsigned shown = 0;

	put(fixture, 0);
	entry = entry_of(0, 100);
	assert_non_null(listing_local_put(&fixture->listing, &entry, 0));
	rename_entry(fixture, 0, 1);
	rename_entry(fixture, 1, 0);
	while ((record = snapshot_next(fixture->listing.current, &position)))
		shown += is_shown(fixture, record);
	assert_int_equal(shown, 1);
}

/* Any order */

/* Ends the walk that runs with a page of all that exists. */
static void walk_all(struct fixture *fixture, const bool exists[NAMES])
{
	if (!fixture->listing.walk)
		begin_walk(fixture);
	for (unsigned i = 0; i < NAMES; i++)
		if (exists[i])
			show(fixture, i);
	end_walk(fixture, 0);
}

/* One random step; `exists` is what a listing without a walk must return for each name. */
static void step(struct fixture *fixture, bool exists[NAMES])
{
	struct listing *listing = &fixture->listing;
	unsigned i = (unsigned)rand() % NAMES, other = (unsigned)rand() % NAMES;
	struct entry entry = entry_of(i, (unsigned)rand());
	char name[32], second[32];

	strcpy(name, name_of(i));
	strcpy(second, name_of(other));
	entry.name = entry.id = name;
	switch (rand() % 10) {
	case 0:
	case 1:
		assert_non_null(listing_local_put(listing, &entry, 0));
		exists[i] = true;
		break;
	case 2:
		listing_local_delete(listing, name);
		exists[i] = false;
		break;
	case 3:
		if (i == other || !exists[i] || listing_is_invalid(listing, name))
			break;
		entry.name = entry.id = second;
		assert_non_null(listing_local_put(listing, &entry, 0));
		listing_local_rename(listing, name, second, listing_find(listing, name)->entry_id);
		exists[i] = false;
		exists[other] = true;
		break;
	case 4:
		listing_invalidate(listing, name,
				   rand() % 2 ? entry_id_new(&fixture->cache.entry_ids) : 0);
		break;
	case 5:
		assert_int_equal(listing_apply_answer(listing, name, exists[i] ? &entry : NULL), 0);
		break;
	case 6:
		if (listing_find(listing, name))
			listing_reassign_id(listing, name, listing_find(listing, name)->entry_id);
		break;
	case 7:
		listing_expire(listing);
		break;
	case 8:
		if (!listing->walk)
			begin_walk(fixture);
		else if (exists[i])
			assert_int_equal(listing_apply_page_entry(listing, &entry), 0);
		break;
	default:
		if (listing->walk && rand() % 3 == 0)
			end_walk(fixture, EIO);
		else if (listing->walk && rand() % 3 == 0)
			walk_all(fixture, exists);
		else if (!listing->walk)
			listing_compact(&listing->compaction);
	}
}

/* Each entry id leads to the newest record of its name, and directories show each name once. */
static void assert_bound_and_shown(struct fixture *fixture)
{
	struct listing *listing = &fixture->listing;
	const struct record *record;
	uint64_t position = 0;
	unsigned shown = 0, present = 0;

	for (unsigned i = 0; i < NAMES; i++) {
		record = listing_find(listing, name_of(i));
		if (record && !record->deleted) {
			assert_ptr_equal(cache_record(&fixture->cache, record->entry_id), record);
			present++;
		}
	}
	if (!listing->current || listing->walk)
		return;
	while ((record = snapshot_next(listing->current, &position)))
		shown += is_shown(fixture, record);
	assert_int_equal(shown, present);
}

static void test_every_order_keeps_to_the_tables_of_states(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 40; seed++) {
		struct fixture fixture = {0};
		bool exists[NAMES] = {false};

		srand(seed);
		fixture_begin(&fixture);
		for (int i = 0; i < 1500; i++) {
			step(&fixture, exists);
			listing_check(&fixture.listing);
			assert_bound_and_shown(&fixture);
		}
		walk_all(&fixture, exists);
		walk_all(&fixture, exists);
		for (unsigned i = 0; i < NAMES; i++)
			assert_int_equal(peek(&fixture, i), exists[i] ? CACHE_HIT : CACHE_NEGATIVE);
		fixture_end(&fixture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_page_does_not_undo_a_local_change, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_failed_walk_keeps_a_complete_listing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_a_name_that_the_last_round_missed_is_deleted_and_comes_back_once,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_name_that_grew_and_went_away_and_back_is_shown_once, setup,
			teardown),
		cmocka_unit_test(test_every_order_keeps_to_the_tables_of_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
