/* Entry ids: each is given out once, and leads to the record that was bound to it. */
#include "cache/entry_ids.h"
#include "check.h"
#include "sstorefs/catalog.h"

#define MANY 100000

/* Never looked into. */
static struct record *record_number(uintptr_t number)
{
	return (struct record *)(16 * (number + 1));
}

static void test_every_number_is_new_and_none_is_zero(void **state)
{
	struct entry_ids ids;

	(void)state;
	entry_ids_init(&ids);
	for (uint32_t i = 1; i < 5000; i++)
		assert_int_equal(entry_id_new(&ids), i);
	entry_ids_free(&ids);
}

static void test_each_number_has_its_record(void **state)
{
	struct entry_ids ids;

	(void)state;
	entry_ids_init(&ids);
	assert_null(entry_id_lookup(&ids, 1));
	assert_null(entry_id_lookup(&ids, UINT32_MAX));
	for (uint32_t i = 1; i < MANY; i++)
		assert_int_equal(entry_id_bind(&ids, entry_id_new(&ids), record_number(i)), 0);
	for (uint32_t i = 1; i < MANY; i++)
		assert_ptr_equal(entry_id_lookup(&ids, i), record_number(i));
	assert_null(entry_id_lookup(&ids, MANY));
	assert_int_equal(entry_id_bind(&ids, 7, record_number(1000)), 0);
	assert_ptr_equal(entry_id_lookup(&ids, 7), record_number(1000));
	entry_ids_free(&ids);
}

static void test_a_deleted_number_has_no_record_and_its_page_is_freed(void **state)
{
	struct entry_ids ids;

	(void)state;
	entry_ids_init(&ids);
	for (uint32_t i = 1; i < MANY; i++)
		entry_id_bind(&ids, i, record_number(i));
	for (uint32_t i = 1; i < MANY; i++) {
		assert_int_equal(entry_id_bind(&ids, i, NULL), 0);
		assert_int_equal(entry_id_bind(&ids, i, NULL), 0);
		assert_null(entry_id_lookup(&ids, i));
	}
	for (size_t i = 0; i < ids.page_count; i++)
		assert_null(ids.pages[i]);
	assert_int_equal(entry_id_bind(&ids, UINT32_MAX, NULL), 0);
	entry_ids_free(&ids);
}

/* The allocator promises no addresses: all over the address space, and just before what
 * came first. */
static void test_records_may_be_anywhere(void **state)
{
	static const uintptr_t places[] = {UINT64_C(0x555500001000),
					   UINT64_C(0x555500000ffc),
					   UINT64_C(0x555500000ff8),
					   UINT64_C(0x7fff00000000),
					   16,
					   UINT64_C(0x555700001000)};
	struct entry_ids ids;

	(void)state;
	for (size_t first = 0; first < COUNT(places); first++) {
		entry_ids_init(&ids);
		for (uint32_t i = 0; i < 3 * COUNT(places); i++) {
			const struct record *record =
				(const struct record *)places[(first + i) % COUNT(places)];

			assert_int_equal(entry_id_bind(&ids, i + 1, record), 0);
			assert_ptr_equal(entry_id_lookup(&ids, i + 1), record);
		}
		for (uint32_t i = 0; i < 3 * COUNT(places); i++)
			assert_ptr_equal(
				entry_id_lookup(&ids, i + 1),
				(const struct record *)places[(first + i) % COUNT(places)]);
		for (uint32_t i = 0; i < 3 * COUNT(places); i++)
			assert_int_equal(entry_id_bind(&ids, i + 1, NULL), 0);
		assert_null(ids.pages[0]);
		entry_ids_free(&ids);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_number_is_new_and_none_is_zero),
		cmocka_unit_test(test_each_number_has_its_record),
		cmocka_unit_test(test_records_may_be_anywhere),
		cmocka_unit_test(test_a_deleted_number_has_no_record_and_its_page_is_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
