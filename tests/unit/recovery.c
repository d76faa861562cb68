/* A service that is down is asked about once a minute, by one call, until it is back. */
#include <errno.h>
#include <string.h>

#include "catalog_fixture.h"
#include "check.h"
#include "fetch/catalog.h"

/* Lets time pass until something is asked. Returns the milliseconds, or 0 if nothing was within
 * five minutes. */
static uint64_t time_until_asked(struct fixture *fixture)
{
	for (uint64_t passed = 1000; passed <= 300000; passed += 1000) {
		advance_clock(fixture, 1000);
		if (fixture->asked_count)
			return passed;
	}
	return 0;
}

static void test_a_service_that_is_down_is_asked_about_once_a_minute(void **state)
{
	struct fixture fixture;
	struct listing *listing;
	uint64_t first, pauses[8], differ = 0;

	(void)state;
	fixture_begin(&fixture, PAGING_CURSOR, &listing);
	assert_int_equal(time_until_asked(&fixture), 0);
	failure_set(&fixture.down, EHOSTUNREACH, "down");
	catalog_refresh(fixture.catalog);
	call_fails(&fixture, 0, EHOSTUNREACH);
	for (size_t i = 0; i < COUNT(pauses); i++) {
		pauses[i] = time_until_asked(&fixture);
		assert_int_equal(fixture.asked_count, 1);
		assert_int_equal(args_of(fixture.asked[0])->operation, OPERATION_LIST_STORES);
		assert_true(fixture.asked[0]->no_retry);
		/* What hangs is not asked once more beside it. */
		if (i == 1)
			advance_clock(&fixture, 80000);
		assert_int_equal(fixture.asked_count, 1);
		call_fails(&fixture, 0, EHOSTUNREACH);
		assert_in_range(pauses[i], 1000, 76000);
		differ += i && pauses[i] != pauses[i - 1];
	}
	assert_true(differ > 4);
	first = time_until_asked(&fixture);
	assert_true(first > 0);
	call_fails(&fixture, 0, EHOSTUNREACH);
	fixture.down = (struct failure){0};
	assert_int_equal(time_until_asked(&fixture), 0);
	fixture_free(&fixture);
}

static void test_a_refresh_asks_at_once(void **state)
{
	struct fixture fixture;
	struct listing *listing;

	(void)state;
	fixture_begin(&fixture, PAGING_CURSOR, &listing);
	catalog_refresh(fixture.catalog);
	assert_int_equal(fixture.asked_count, 0);
	failure_set(&fixture.down, EHOSTUNREACH, "down");
	catalog_refresh(fixture.catalog);
	catalog_refresh(fixture.catalog);
	assert_int_equal(fixture.asked_count, 1);
	call_fails(&fixture, 0, EHOSTUNREACH);
	fixture_free(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_service_that_is_down_is_asked_about_once_a_minute),
		cmocka_unit_test(test_a_refresh_asks_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
