/* Patience: how long an answer says to wait, by its own clock. */
#include <string.h>

#include "answers.h"
#include "check.h"
#include "sstorefs/provider.h"

#define DATE  "Date: Wed, 27 Nov 2024 15:30:00 GMT\n" /* 1732721400 */
#define DAY   UINT64_C(86400000)
#define RESET "Fastly-RateLimit-Reset: "
#define LEFT  "Fastly-RateLimit-Remaining: "

static void test_what_answers_say_of_waiting(void **state)
{
	static const struct {
		int status;
		const char *headers;
		struct patience patience;
	} cases[] = {
		{200, "", {0, -1, 0}},
		{200, DATE, {0, -1, 0}},
		{503, "Retry-After: 7\n", {7000, -1, 0}},
		{503, "Retry-After: 0\n", {0, -1, 0}},
		{503, "Retry-After: soon\n", {0, -1, 0}},
		{503, "Retry-After: -5\n", {0, -1, 0}},
		{503, "Retry-After: 1.5\n", {0, -1, 0}},
		{503, "Retry-After:\n", {0, -1, 0}},
		{503, "Retry-After: 99999999999999999999999\n", {365 * DAY, -1, 0}},
		{503, DATE "Retry-After: Wed, 27 Nov 2024 15:30:20 GMT\n", {20000, -1, 0}},
		{503, DATE "Retry-After: Wednesday, 27-Nov-24 15:30:20 GMT\n", {20000, -1, 0}},
		{503, DATE "Retry-After: Wed, 27 Nov 2024 15:29:00 GMT\n", {0, -1, 0}},
		{503, "Retry-After: Wed, 27 Nov 2024 15:30:20 GMT\n", {0, -1, 0}},
		/* Reads say nothing, writes say how much is left and until when (recorded: an hour's boundary). */
		{200, DATE LEFT "998\n" RESET "1732723200\n", {0, 998, 1800000}},
		{200, LEFT "998\n" RESET "1732723200\n", {0, 998, 0}},
		{200, DATE LEFT "many\n" RESET "later\n", {0, -1, 0}},
		{200, DATE LEFT "0\n" RESET "1732721399\n", {0, 0, 0}},
		{200, DATE LEFT "0\n" RESET "99999999999999999999999\n", {0, 0, 365 * DAY}},
		{429, DATE LEFT "0\n" RESET "1732723200\n", {1800000, 0, 1800000}},
		{429, DATE "Retry-After: 5\n" RESET "1732723200\n", {1800000, -1, 1800000}},
		{429, DATE "Retry-After: 3600\n" RESET "1732723200\n", {3600000, -1, 1800000}},
		{429, "", {0, -1, 0}},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct http_answer answer = text_answer(cases[i].status, cases[i].headers, "");
		struct patience patience;

		memset(&patience, 0x5a, sizeof(patience));
		provider_fastly.patience(&answer, &patience);
		assert_int_equal(patience.wait_ms, cases[i].patience.wait_ms);
		assert_int_equal(patience.remaining, cases[i].patience.remaining);
		assert_int_equal(patience.resets_in_ms, cases[i].patience.resets_in_ms);
		http_answer_finish(&answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_answers_say_of_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
