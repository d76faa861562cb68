/* Stripe's requests, byte for byte (doc/apis.md, Stripe 2). */
#include <sodium.h>
#include <stdlib.h>

#include "check.h"
#include "parsed.h"

#define SECRETS	    "/v1/apps/secrets"
#define VERSION	    "\nStripe-Version: 2026-07-29.dahlia"
#define FORM	    "\napplication/x-www-form-urlencoded\n"
#define OWN	    "scope%5Btype%5D=account"
#define USER	    "scope%5Btype%5D=user&scope%5Buser%5D=usr_1"
#define VALUE(text) .value = (const uint8_t *)(text), .value_length = sizeof(text) - 1

static void test_requests_are_what_the_service_takes(void **state)
{
	static const struct {
		struct op_args ask;
		const char *text;
	} cases[] = {
		{{.operation = OPERATION_LIST_SECRETS, .store_id = "account"},
		 "GET " SECRETS "?" OWN "&limit=100" VERSION},
		{{.operation = OPERATION_LIST_SECRETS,
		  .store_id = "account",
		  .context = "acct_1/acct_2",
		  .api_version = "2027-01-01.other"},
		 "GET " SECRETS "?" OWN
		 "&limit=100\nStripe-Version: 2027-01-01.other\nStripe-Context: acct_1/acct_2"},
		{{.operation = OPERATION_LIST_SECRETS,
		  .store_id = "usr_1",
		  .cursor = "appsecret_5&x"},
		 "GET " SECRETS "?" USER "&limit=100&starting_after=appsecret_5%26x" VERSION},
		{{.operation = OPERATION_FIND_SECRET,
		  .store_id = "usr_1",
		  .name = "a%2Fb +&=\xc3\xa9",
		  .idempotency_key = "K"},
		 "GET " SECRETS "/find?" USER "&name=a%2Fb%20%2B%26%3D%C3%A9" VERSION},
		{{.operation = OPERATION_PUT_SECRET,
		  .mode = PUT_UPSERT,
		  .store_id = "account",
		  .name = "NAME",
		  .expires_at = TIME_UNKNOWN,
		  .idempotency_key = "KEY",
		  VALUE("val")},
		 "POST " SECRETS VERSION "\nIdempotency-Key: KEY" FORM "name=NAME&" OWN
		 "&payload=val"},
		{{.operation = OPERATION_PUT_SECRET,
		  .mode = PUT_UPSERT,
		  .account = "acct_1",
		  .store_id = "usr_1",
		  .name = "a%0Ab",
		  .expires_at = 4000000000 * NANOSECONDS + 5,
		  VALUE("+&=%/ \n\r\0~-._'()*!\xc3\xa9\xf0\x9f\x94\x91")},
		 "POST " SECRETS VERSION "\nStripe-Account: acct_1" FORM "name=a%0Ab&" USER
		 "&payload=%2B%26%3D%25%2F%20%0A%0D%00~-._%27%28%29%2A%21%C3%A9%F0%9F%94%91&expires_at=4000000000"},
		{{.operation = OPERATION_DELETE_SECRET,
		  .store_id = "usr_1",
		  .name = "a&b",
		  .idempotency_key = "KEY"},
		 "POST " SECRETS "/delete" VERSION "\nIdempotency-Key: KEY" FORM
		 "name=a%26b&" USER},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_null(strstr(cases[i].text, "expand"));
		assert_request(&provider_stripe, &cases[i].ask, cases[i].text,
			       cases[i].ask.operation == OPERATION_PUT_SECRET);
	}
}

static void test_what_there_is_no_verb_for_is_refused(void **state)
{
	struct op_args args = {.operation = OPERATION_PUT_SECRET,
			       .store_id = "account",
			       .name = "NAME",
			       VALUE("v")};

	(void)state;
	for (args.mode = PUT_CREATE; args.mode < PUT_UPSERT; args.mode++)
		assert_no_request(&provider_stripe, &args);
	args.mode = PUT_UPSERT;
	args.store_id = NULL;
	assert_no_request(&provider_stripe, &args);
	args.store_id = "account";
	args.name = "a/b";
	assert_no_request(&provider_stripe, &args);
}

static void test_the_largest_value_fits_into_locked_memory(void **state)
{
	uint8_t *value = malloc(20000);
	struct op_args args = {.operation = OPERATION_PUT_SECRET,
			       .mode = PUT_UPSERT,
			       .store_id = "account",
			       .name = "NAME",
			       .expires_at = TIME_UNKNOWN,
			       .value = value,
			       .value_length = 20000};
	struct http_request request = {0};
	struct locked_pool pool;

	(void)state;
	memset(value, '%', 20000);
	locked_pool_init(&pool, 1 << 20);
	request.body.pool = &pool;
	assert_int_equal(provider_stripe.build_request(&provider_stripe, &args, &request), 0);
	assert_int_equal(request.body.length, strlen("name=NAME&" OWN "&payload=") + 60000);
	assert_int_equal(pool.held, request.body.size);
	http_request_free(&request);
	assert_int_equal(pool.held, 0);
	free(value);
}

static void test_names_that_the_service_takes(void **state)
{
	static const char *const good[] = {"NAME", "a%2Fb", "%2E", "caf\xc3\xa9",
					   "a b",  "%0A",   "%00"};
	static const char *const bad[] = {"", ".", "..", "a/b", "%2f", "\xff"};
	static const char *const scopes[] = {"account", "usr_1", "usr_Ab_9"};
	static const char *const others[] = {"",	"usr_",	 "user",    "usr_a-b",
					     "usr_a b", "USR_a", "usr_%2F", "accounts"};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++)
		assert_true(provider_stripe.name_is_valid(good[i]));
	for (i = 0; i < COUNT(bad); i++)
		assert_false(provider_stripe.name_is_valid(bad[i]));
	for (i = 0; i < COUNT(scopes); i++)
		assert_true(provider_stripe.store_name_is_valid(scopes[i]));
	for (i = 0; i < COUNT(others); i++)
		assert_false(provider_stripe.store_name_is_valid(others[i]));
}

static void test_the_key_goes_into_one_header_line(void **state)
{
	static const char line[] = "Authorization: Bearer sk_test_1";
	struct locked lines = {0};

	(void)state;
	assert_int_equal(
		provider_stripe.authorize(&(struct credentials){.token = "sk_test_1"}, &lines), 0);
	assert_int_equal(lines.length, sizeof(line));
	assert_memory_equal(lines.data, line, sizeof(line));
	locked_free(&lines);
	assert_int_equal(provider_stripe.authorize(&(struct credentials){.token = "a\rb"}, &lines),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_are_what_the_service_takes),
		cmocka_unit_test(test_what_there_is_no_verb_for_is_refused),
		cmocka_unit_test(test_the_largest_value_fits_into_locked_memory),
		cmocka_unit_test(test_names_that_the_service_takes),
		cmocka_unit_test(test_the_key_goes_into_one_header_line),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
