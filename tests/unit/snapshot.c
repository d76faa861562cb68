/* Snapshots: what was put is found, directories see each name once and where it was, and no
 * position is out of bounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/snapshot.h"
#include "check.h"

static struct record *put(struct snapshot *snapshot, const char *name, const char *comment)
{
	static union record_room room;
	const struct entry entry = {.name = name,
				    .comment = comment,
				    .created_at = TIME_UNKNOWN,
				    .modified_at = TIME_UNKNOWN,
				    .expires_at = TIME_UNKNOWN,
				    .livemode = -1};

	return snapshot_put(snapshot, record_pack(&room, &entry));
}

static const char *name_of(unsigned number)
{
	static char name[32];

	snprintf(name, sizeof(name), "SECRET_%07u", number);
	return name;
}

static const char *comment_of(const struct record *record)
{
	static struct entry entry;
	static struct entry_text text;

	record_entry(record, &entry, &text);
	return entry.comment;
}

/* What a directory shows, dead ones by the record that took their place. */
static const char *shown(struct snapshot *snapshot)
{
	static char text[4096];
	const struct record *record;
	uint64_t position = 0;

	text[0] = '\0';
	while ((record = snapshot_next(snapshot, &position))) {
		const struct record *present = snapshot_find(snapshot, record->name);

		if (present->deleted)
			continue;
		strcat(text, text[0] ? " " : "");
		strcat(text, present->name);
	}
	return text;
}

static void test_what_was_put_is_found(void **state)
{
	struct snapshot *snapshot = snapshot_new();

	(void)state;
	assert_null(snapshot_find(snapshot, "X"));
	for (unsigned i = 0; i < 50000; i++) {
		assert_non_null(put(snapshot, name_of(i), "comment"));
		assert_string_equal(snapshot_find(snapshot, name_of(i))->name, name_of(i));
	}
	for (unsigned i = 0; i < 50000; i++)
		assert_string_equal(snapshot_find(snapshot, name_of(i))->name, name_of(i));
	assert_null(snapshot_find(snapshot, name_of(50000)));
	assert_int_equal(snapshot->present, 50000);
	snapshot_release(snapshot);
}

static void test_records_are_iterated_in_the_order_of_their_insertion(void **state)
{
	struct snapshot *snapshot = snapshot_new();
	const struct record *record;
	uint64_t position = 0;
	unsigned count = 0;

	(void)state;
	assert_null(snapshot_next(snapshot, &position));
	assert_int_equal(position, 0);
	/* Read while it grows, and at each present end: none is left out. */
	for (unsigned i = 0; i < 20000; i++) {
		put(snapshot, name_of(i), i % 3 ? NULL : "longer");
		if (i % 7)
			continue;
		while ((record = snapshot_next(snapshot, &position)))
			assert_string_equal(record->name, name_of(count++));
		assert_int_equal(count, i + 1);
	}
	snapshot_release(snapshot);
}

static void test_a_large_first_record_has_room(void **state)
{
	static char large[4000];
	struct snapshot *snapshot = snapshot_new();

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	for (unsigned i = 0; i < 300; i++)
		put(snapshot, name_of(i), large);
	for (unsigned i = 0; i < 300; i++)
		assert_string_equal(comment_of(snapshot_find(snapshot, name_of(i))), large);
	snapshot_release(snapshot);
}

static void test_another_content_takes_the_place_of_the_old_one(void **state)
{
	struct snapshot *snapshot = snapshot_new();
	struct record *record = put(snapshot, "A", "a comment");

	(void)state;
	record->entry_id = 7;
	record->local_change = true;
	record->verified_at = 9;
	record->invalid = true;
	put(snapshot, "B", NULL);
	assert_ptr_equal(put(snapshot, "A", "short"), record);
	assert_string_equal(comment_of(record), "short");
	assert_int_equal(record->entry_id, 7);
	assert_true(record->local_change);
	assert_int_equal(record->verified_at, 9);
	assert_true(record->invalid);
	/* Back again: its memory is still its own. */
	assert_ptr_equal(put(snapshot, "A", "a comment"), record);
	assert_string_equal(comment_of(record), "a comment");
	assert_string_equal(shown(snapshot), "A B");
	assert_int_equal(snapshot->present, 2);
	snapshot_release(snapshot);
}

static void test_what_grows_moves_and_is_shown_where_it_was(void **state)
{
	struct snapshot *snapshot = snapshot_new();
	struct record *record;

	(void)state;
	put(snapshot, "A", NULL)->entry_id = 7;
	put(snapshot, "B", NULL);
	record = put(snapshot, "A", "now with a comment");
	assert_int_equal(record->entry_id, 7);
	assert_string_equal(comment_of(snapshot_find(snapshot, "A")), "now with a comment");
	assert_string_equal(shown(snapshot), "A B");
	put(snapshot, "A", "and once more with a longer comment");
	put(snapshot, "C", NULL);
	assert_string_equal(shown(snapshot), "A B C");
	assert_int_equal(snapshot->present, 3);
	assert_int_equal(snapshot->superseded, 2);
	snapshot_release(snapshot);
}

static void test_a_deleted_name_is_not_shown_and_may_be_created_again(void **state)
{
	struct snapshot *snapshot = snapshot_new();
	struct record *record = put(snapshot, "A", "a comment");

	(void)state;
	put(snapshot, "B", NULL);
	snapshot_set_deleted(snapshot, record, true);
	snapshot_set_deleted(snapshot, record, true);
	assert_int_equal(snapshot->present, 1);
	assert_string_equal(shown(snapshot), "B");
	assert_ptr_equal(snapshot_find(snapshot, "A"), record);
	put(snapshot, "A", NULL);
	assert_string_equal(shown(snapshot), "A B");
	snapshot_set_deleted(snapshot, record, true);
	/* Made anew, and too large for its old place: shown at the end, once. */
	put(snapshot, "A", "a comment that is too long");
	assert_string_equal(shown(snapshot), "B A");
	assert_int_equal(snapshot->present, 2);
	snapshot_release(snapshot);
}

static void test_no_position_from_outside_leads_astray(void **state)
{
	struct snapshot *snapshot = snapshot_new();
	static char large[3000];
	uint64_t begins[64], end = 0;
	size_t count = 0;

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	for (unsigned i = 0; i < COUNT(begins); i++)
		put(snapshot, name_of(i), i % 5 ? NULL : large);
	while (begins[count % COUNT(begins)] = end, snapshot_next(snapshot, &end))
		count++;
	assert_int_equal(count, COUNT(begins));
	for (uint64_t position = 0; position < 600000; position += 1 + position % 3) {
		uint64_t boundary = snapshot_align_position(snapshot, position), next = boundary;
		const struct record *record = snapshot_next(snapshot, &next);

		if (record)
			assert_ptr_equal(snapshot_find(snapshot, record->name), record);
	}
	for (size_t i = 1; i < count; i++)
		assert_int_equal(snapshot_align_position(snapshot, begins[i]), begins[i]);
	assert_int_equal(snapshot_align_position(snapshot, end), end);
	end = snapshot_align_position(snapshot, UINT64_MAX / 2);
	assert_null(snapshot_next(snapshot, &end));
	snapshot_release(snapshot);
}

enum { NAMES = 200 };

/* What the snapshot should hold. */
struct model {
	struct snapshot *snapshot;
	uint32_t ids[NAMES]; /* 0: absent */
	size_t lengths[NAMES];
	uint32_t last;
};

static void change_one(struct model *model)
{
	unsigned i = (unsigned)rand() % NAMES;
	struct record *record = snapshot_find(model->snapshot, name_of(i));
	char comment[128];

	if (rand() % 3) {
		model->lengths[i] = (size_t)rand() % 100;
		memset(comment, 'c', model->lengths[i]);
		comment[model->lengths[i]] = '\0';
		record = put(model->snapshot, name_of(i), comment);
		if (!model->ids[i]) {
			model->ids[i] = ++model->last;
			record->relocated =
				false; /* as the listing does for another entry of a name */
		}
		record->entry_id = model->ids[i];
	} else if (record) {
		snapshot_set_deleted(model->snapshot, record, true);
		model->ids[i] = 0;
	}
}

static void assert_found(const struct model *model)
{
	for (unsigned i = 0; i < NAMES; i++) {
		const struct record *record = snapshot_find(model->snapshot, name_of(i));

		assert_int_equal(record && !record->deleted, model->ids[i] != 0);
		if (model->ids[i])
			assert_int_equal(strlen(comment_of(record)), model->lengths[i]);
	}
}

static void assert_shown_once(const struct model *model)
{
	const struct record *record;
	uint64_t position = 0;
	size_t count = 0, present = 0;

	while ((record = snapshot_next(model->snapshot, &position)))
		count += record->entry_id == model->ids[atoi(record->name + strlen("SECRET_"))];
	for (unsigned i = 0; i < NAMES; i++)
		present += model->ids[i] != 0;
	assert_int_equal(count, present);
	assert_int_equal(model->snapshot->present, present);
}

static void test_it_is_like_a_plain_table_of_names(void **state)
{
	struct model model = {.snapshot = snapshot_new()};

	(void)state;
	srand(1);
	for (int step = 0; step < 20000; step++) {
		change_one(&model);
		if (step % 100 == 0) {
			assert_found(&model);
			assert_shown_once(&model);
		}
	}
	snapshot_release(model.snapshot);
}

static void test_the_end_of_growing_is_reported(void **state)
{
	struct snapshot *snapshot = snapshot_new();
	const struct failure failure = {.errnum = 5, .message = "because"};

	(void)state;
	snapshot->state = SNAPSHOT_STALE;
	assert_true(snapshot_is_filling(snapshot));
	assert_true(snapshot_is_stale(snapshot));
	snapshot_seal(snapshot, &failure);
	assert_false(snapshot_is_filling(snapshot));
	assert_false(snapshot_is_stale(snapshot));
	assert_string_equal(snapshot_failure(snapshot)->message, "because");
	snapshot_release(snapshot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_put_is_found),
		cmocka_unit_test(test_records_are_iterated_in_the_order_of_their_insertion),
		cmocka_unit_test(test_a_large_first_record_has_room),
		cmocka_unit_test(test_another_content_takes_the_place_of_the_old_one),
		cmocka_unit_test(test_what_grows_moves_and_is_shown_where_it_was),
		cmocka_unit_test(test_a_deleted_name_is_not_shown_and_may_be_created_again),
		cmocka_unit_test(test_no_position_from_outside_leads_astray),
		cmocka_unit_test(test_it_is_like_a_plain_table_of_names),
		cmocka_unit_test(test_the_end_of_growing_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
