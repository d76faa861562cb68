/* Records: every entry packed comes out as it went in, in few bytes. */
#include <string.h>

#include "cache/record.h"
#include "check.h"

static const struct entry nothing = {.name = "N",
				     .created_at = TIME_UNKNOWN,
				     .modified_at = TIME_UNKNOWN,
				     .expires_at = TIME_UNKNOWN,
				     .livemode = -1};

#define SECOND (INT64_C(1700000000) * NANOSECONDS)

static const char digest[] = "tNM8mkJTjQGBtkHQ3RRn+dzLbh9iZfJ02GVz35HY9iA=";

static void assert_text(const char *is, const char *should)
{
	if (should)
		assert_string_equal(is, should);
	else
		assert_null(is);
}

static const struct record *assert_same(const struct entry *entry)
{
	static union record_room room;
	const struct record *record = record_pack(&room, entry);
	struct entry_text text;
	struct entry out;

	assert_non_null(record);
	assert_true(record_bytes(record) <= RECORD_SIZE_MAX);
	record_entry(record, &out, &text);
	assert_text(out.name, entry->name);
	assert_text(out.id, entry->id);
	assert_text(out.digest, entry->digest);
	assert_text(out.status, entry->status);
	assert_text(out.scopes, entry->scopes);
	assert_text(out.comment, entry->comment);
	assert_true(out.created_at == entry->created_at);
	assert_true(out.modified_at == entry->modified_at);
	assert_true(out.expires_at == entry->expires_at);
	assert_int_equal(out.livemode, entry->livemode);
	assert_text(record_id(record), entry->id);
	assert_true(record_changed_at(record) == entry->modified_at);
	assert_true(record_expires_at(record) == entry->expires_at);
	return record;
}

static void test_an_entry_comes_out_as_it_went_in(void **state)
{
	struct entry entry = nothing;

	(void)state;
	assert_same(&entry);
	entry.id = "0123456789abcdef";
	assert_same(&entry);
	entry.created_at = entry.modified_at = SECOND;
	assert_same(&entry);
	entry.digest = digest;
	assert_same(&entry);
	entry.status = "active";
	entry.scopes = "workers:ai_gateway";
	entry.comment = "";
	entry.livemode = 1;
	entry.expires_at = SECOND + 1;
	assert_same(&entry);
	entry.livemode = 0;
	entry.id = entry.digest = NULL;
	assert_same(&entry);
}

static void test_every_time_comes_out_whole(void **state)
{
	static const wall_time_ns times[] = {TIME_UNKNOWN,
					     -1,
					     0,
					     1,
					     NANOSECONDS - 1,
					     NANOSECONDS,
					     SECOND + 123456789,
					     UINT32_MAX * NANOSECONDS,
					     (UINT32_MAX + INT64_C(1)) * NANOSECONDS,
					     INT64_MAX};

	(void)state;
	for (size_t i = 0; i < COUNT(times); i++)
		for (size_t j = 0; j < COUNT(times); j++) {
			struct entry entry = nothing;

			entry.created_at = times[i];
			entry.modified_at = times[j];
			/* A service that sends the one sends the other. */
			if (entry.created_at != TIME_UNKNOWN)
				assert_same(&entry);
		}
}

static void test_what_a_service_calls_a_digest_comes_out_as_it_was(void **state)
{
	static const char *const digests[] = {
		"", "x", "AA==", "not base64 at all",
		/* 32 bytes, but not as base64 is written: other bits in the last place */
		"tNM8mkJTjQGBtkHQ3RRn+dzLbh9iZfJ02GVz35HY9iB=",
		"tNM8mkJTjQGBtkHQ3RRn+dzLbh9iZfJ02GVz35HY9iA",
		"tNM8mkJTjQGBtkHQ3RRn-dzLbh9iZfJ02GVz35HY9iA="};

	(void)state;
	for (size_t i = 0; i < COUNT(digests); i++) {
		struct entry entry = nothing;

		entry.digest = digests[i];
		assert_same(&entry);
	}
}

static void test_a_secret_takes_few_bytes(void **state)
{
	struct entry entry = nothing;

	(void)state;
	entry.name = "SECRET_0000000";
	entry.digest = digest;
	entry.created_at = entry.modified_at = SECOND;
	assert_true(record_bytes(assert_same(&entry)) <= 68);
}

static void test_texts_that_are_too_long_are_cut(void **state)
{
	static char large[100000];
	static union record_room room;
	struct entry entry = nothing, out;
	struct entry_text text;

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	entry.id = entry.digest = entry.status = entry.scopes = entry.comment = large;
	record_entry(record_pack(&room, &entry), &out, &text);
	assert_int_equal(strlen(out.id), 4095);
	assert_int_equal(strlen(out.comment), 4095);
	assert_true(record_bytes(&room.record) <= RECORD_SIZE_MAX);
}

static void test_names_have_one_to_255_bytes(void **state)
{
	static union record_room room;
	char name[300];
	struct entry entry = nothing;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	entry.name = name;
	assert_same(&entry);
	name[255] = 'n';
	name[256] = '\0';
	assert_null(record_pack(&room, &entry));
	entry.name = "";
	assert_null(record_pack(&room, &entry));
	entry.name = NULL;
	assert_null(record_pack(&room, &entry));
}

static void test_a_tombstone_is_a_deleted_name(void **state)
{
	static union record_room room;
	const struct record *record = record_pack_absent(&room, "NAME");

	(void)state;
	assert_true(record->deleted);
	assert_string_equal(record->name, "NAME");
	assert_null(record_id(record));
	assert_null(record_pack_absent(&room, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_entry_comes_out_as_it_went_in),
		cmocka_unit_test(test_every_time_comes_out_whole),
		cmocka_unit_test(test_what_a_service_calls_a_digest_comes_out_as_it_was),
		cmocka_unit_test(test_a_secret_takes_few_bytes),
		cmocka_unit_test(test_texts_that_are_too_long_are_cut),
		cmocka_unit_test(test_names_have_one_to_255_bytes),
		cmocka_unit_test(test_a_tombstone_is_a_deleted_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
