/* Rate limits: how long a response tells the client to wait, by its own clock. */
#include <string.h>

#include "check.h"
#include "responses.h"
#include "sstorefs/provider.h"

#define DATE  "Date: Wed, 27 Nov 2024 15:30:00 GMT\n" /* 1732721400 */
#define DAY   UINT64_C(86400000)
#define RESET "Fastly-RateLimit-Reset: "
#define LEFT  "Fastly-RateLimit-Remaining: "

/* A response, and what it says of limits. */
struct limited {
	int status;
	const char *headers;
	struct rate_limit expected;
};

static void assert_limit(const struct provider *provider, const struct limited *limited)
{
	struct http_response response = text_answer(limited->status, limited->headers, "");
	struct rate_limit limit;

	memset(&limit, 0x5a, sizeof(limit));
	provider->read_rate_limit(&response, &limit);
	assert_int_equal(limit.wait_ms, limited->expected.wait_ms);
	assert_int_equal(limit.remaining, limited->expected.remaining);
	assert_int_equal(limit.resets_in_ms, limited->expected.resets_in_ms);
	assert_false(limit.do_not_retry);
	http_response_free(&response);
}

static void test_fastlys_answers_say_how_long_to_wait(void **state)
{
	static const struct limited cases[] = {
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
		/* Reads tell nothing, writes tell how much is left and until when (recorded: an
		   hour's boundary). */
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

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_limit(&provider_fastly, &cases[i]);
}

static void test_cloudflares_answers_say_how_much_is_left(void **state)
{
	static const struct limited cases[] = {
		{200, "", {0, -1, 0, false}},
		{200, "Ratelimit: \"default\";r=50;t=30\n", {0, 50, 30000, false}},
		{200,
		 "RateLimit: \"default\" ; r=50 ; t=30\nRatelimit-Policy: \"burst\";q=100;w=60\n",
		 {0, 50, 30000, false}},
		{200, "Ratelimit: \"a\";r=50;t=30, \"b\";r=7;t=2\n", {0, 7, 2000, false}},
		{200, "Ratelimit: \"b\";r=7;t=2,\"a\";r=50;t=30\n", {0, 7, 2000, false}},
		{200, "Ratelimit: \";r=1;t=1,\\\"r=2\";r=9;t=5\n", {0, 9, 5000, false}},
		{200, "Ratelimit: \"a\";r=0;t=300\n", {0, 0, 300000, false}},
		{200,
		 "Ratelimit: \"a\";r=50;t=30\nRatelimit: \"b\";r=7;t=2\n",
		 {0, 7, 2000, false}},
		{429, "Ratelimit: \"a\";r=0;t=300\n", {300000, 0, 300000, false}},
		{429, "Ratelimit: \"a\";r=0;t=3\nRetry-After: 5\n", {5000, 0, 5000, false}},
		{429, "Retry-After: 300\n", {300000, 0, 300000, false}},
		{429, "", {0, 0, 0, false}},
		{200, "Ratelimit: \"a\";r=5\n", {0, 5, 0, false}},
		{200, "Ratelimit: \"a\";t=5\n", {0, -1, 0, false}},
		{200, "Ratelimit: \"a\";rr=5;t=5;r=\n", {0, -1, 0, false}},
		{200, "Ratelimit: \"a\n", {0, -1, 0, false}},
		{200, "Ratelimit: \"a\\\n", {0, -1, 0, false}},
		{200, "Ratelimit: ;;;,,,;r;t=,r=5\n", {0, -1, 0, false}},
		{200, "Ratelimit: \"a\";r=99999999999999999999999999;t=1\n", {0, -1, 0, false}},
		{200, "Ratelimit: \"a\";r=1;t=99999999999999999999\n", {0, 1, 365 * DAY, false}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_limit(&provider_cloudflare, &cases[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fastlys_answers_say_how_long_to_wait),
		cmocka_unit_test(test_cloudflares_answers_say_how_much_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
