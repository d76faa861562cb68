/* Cloudflare's requests, byte for byte (doc/apis.md, Cloudflare 3). */
#include <sodium.h>
#include <stdlib.h>

#include "check.h"
#include "parsed.h"

#define ACCOUNT	    "0123456789abcdef0123456789abcdef"
#define BASE	    "/accounts/" ACCOUNT "/secrets_store"
#define PAGE	    "per_page=100&order=name&direction=asc"
#define JSON	    "\napplication/json\n"
#define VALUE(text) .value = (const uint8_t *)(text), .value_length = sizeof(text) - 1

static void test_requests_are_what_the_service_takes(void **state)
{
	static const struct {
		struct op_args ask;
		const char *text;
	} cases[] = {
		{{.operation = OPERATION_LIST_STORES}, "GET " BASE "/stores?page=1&" PAGE},
		{{.operation = OPERATION_LIST_STORES, .page = 7},
		 "GET " BASE "/stores?page=7&" PAGE},
		{{.operation = OPERATION_FIND_STORE, .name = "prod", .page = 2},
		 "GET " BASE "/stores?page=2&" PAGE},
		{{.operation = OPERATION_CREATE_STORE, .name = "a%2Fb\"\xc3\xa9"},
		 "POST " BASE "/stores" JSON "{\"name\":\"a/b\\\"\xc3\xa9\"}"},
		{{.operation = OPERATION_DELETE_STORE, .store_id = "S"},
		 "DELETE " BASE "/stores/S"},
		{{.operation = OPERATION_LIST_SECRETS, .store_id = "S", .page = 1},
		 "GET " BASE "/stores/S/secrets?page=1&" PAGE},
		{{.operation = OPERATION_FIND_SECRET,
		  .store_id = "S",
		  .name = "a%2525b&c d",
		  .page = 3},
		 "GET " BASE "/stores/S/secrets?search=a%2525b%26c%20d&page=3&" PAGE},
		{{.operation = OPERATION_FIND_SECRET, .store_id = "S", .name = "NAME", .id = "I"},
		 "GET " BASE "/stores/S/secrets/I"},
		{{.operation = OPERATION_PUT_SECRET,
		  .mode = PUT_CREATE,
		  .store_id = "S",
		  .name = "NAME",
		  VALUE("val")},
		 "POST " BASE "/stores/S/secrets" JSON
		 "[{\"name\":\"NAME\",\"value\":\"val\",\"scopes\":[\"workers\"]}]"},
		{{.operation = OPERATION_PUT_SECRET,
		  .mode = PUT_CREATE,
		  .store_id = "S",
		  .name = "NAME",
		  .scopes = "dex:ai_gateway",
		  .comment = "a \"b\"\n\xc3\xa9",
		  VALUE("\"\\/\b\f\n\r\t\001\037\177\xc3\xa9\xf0\x9f\x94\x91")},
		 "POST " BASE "/stores/S/secrets" JSON
		 "[{\"name\":\"NAME\",\"value\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\xc3\xa9\xf0\x9f\x94\x91\","
		 "\"scopes\":[\"dex\",\"ai_gateway\"],\"comment\":\"a \\\"b\\\"\\n\xc3\xa9\"}]"},
		{{.operation = OPERATION_PUT_SECRET,
		  .mode = PUT_CREATE,
		  .store_id = "S",
		  .name = "NAME",
		  .comment = "",
		  VALUE("a\0b")},
		 "POST " BASE "/stores/S/secrets" JSON
		 "[{\"name\":\"NAME\",\"value\":\"a\\u0000b\",\"scopes\":[\"workers\"]}]"},
		{{.operation = OPERATION_PUT_SECRET,
		  .mode = PUT_REPLACE,
		  .store_id = "S",
		  .id = "I",
		  .name = "NAME",
		  VALUE("v")},
		 "PATCH " BASE "/stores/S/secrets/I" JSON "{\"value\":\"v\"}"},
		{{.operation = OPERATION_PUT_SECRET,
		  .mode = PUT_REPLACE,
		  .store_id = "S",
		  .id = "I",
		  .name = "NAME",
		  .scopes = "dex",
		  .comment = "c",
		  VALUE("v")},
		 "PATCH " BASE "/stores/S/secrets/I" JSON
		 "{\"value\":\"v\",\"scopes\":[\"dex\"],\"comment\":\"c\"}"},
		{{.operation = OPERATION_UPDATE_SECRET,
		  .store_id = "S",
		  .id = "I",
		  .name = "NAME",
		  .comment = ""},
		 "PATCH " BASE "/stores/S/secrets/I" JSON "{\"comment\":\"\"}"},
		{{.operation = OPERATION_UPDATE_SECRET,
		  .store_id = "S",
		  .id = "I",
		  .name = "NAME",
		  .scopes = "a:b"},
		 "PATCH " BASE "/stores/S/secrets/I" JSON "{\"scopes\":[\"a\",\"b\"]}"},
		{{.operation = OPERATION_DELETE_SECRET,
		  .store_id = "S",
		  .id = "../I",
		  .name = "NAME"},
		 "DELETE " BASE "/stores/S/secrets/..%2FI"},
		{{.operation = OPERATION_DELETE_SECRET,
		  .store_id = "S",
		  .id = "..",
		  .name = "NAME"},
		 "DELETE " BASE "/stores/S/secrets/%2E%2E"},
		{{.operation = OPERATION_DUPLICATE_SECRET,
		  .store_id = "S",
		  .id = "I",
		  .name = "NEW"},
		 "POST " BASE "/stores/S/secrets/I/duplicate" JSON
		 "{\"name\":\"NEW\",\"scopes\":[\"workers\"]}"},
		{{.operation = OPERATION_DUPLICATE_SECRET,
		  .store_id = "S",
		  .id = "I",
		  .name = "NEW",
		  .scopes = "dex:workers",
		  .comment = "c"},
		 "POST " BASE "/stores/S/secrets/I/duplicate" JSON
		 "{\"name\":\"NEW\",\"scopes\":[\"dex\",\"workers\"],\"comment\":\"c\"}"},
		{{.operation = OPERATION_QUOTA}, "GET " BASE "/quota"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct op_args args = cases[i].ask;

		args.account = ACCOUNT;
		assert_request(&provider_cloudflare, &args, cases[i].text,
			       args.operation == OPERATION_PUT_SECRET);
	}
}

/* DELETE of a secret without an id would be about all of them. */
static void test_nothing_is_asked_without_the_ids_it_needs(void **state)
{
	static const struct op_args asks[] = {
		{.operation = OPERATION_LIST_STORES, .account = NULL},
		{.operation = OPERATION_LIST_STORES, .account = ""},
		{.operation = OPERATION_QUOTA, .account = ""},
		{.operation = OPERATION_DELETE_STORE, .account = ACCOUNT, .store_id = ""},
		{.operation = OPERATION_DELETE_STORE, .account = ACCOUNT},
		{.operation = OPERATION_LIST_SECRETS, .account = ACCOUNT},
		{.operation = OPERATION_DELETE_SECRET, .account = ACCOUNT, .store_id = "S"},
		{.operation = OPERATION_DELETE_SECRET,
		 .account = ACCOUNT,
		 .store_id = "S",
		 .id = ""},
		{.operation = OPERATION_DELETE_SECRET,
		 .account = ACCOUNT,
		 .store_id = "",
		 .id = "I"},
		{.operation = OPERATION_PUT_SECRET,
		 .mode = PUT_REPLACE,
		 .account = ACCOUNT,
		 .store_id = "S",
		 .name = "N"},
		{.operation = OPERATION_UPDATE_SECRET,
		 .account = ACCOUNT,
		 .store_id = "S",
		 .name = "N",
		 .comment = "c"},
		{.operation = OPERATION_UPDATE_SECRET,
		 .account = ACCOUNT,
		 .store_id = "S",
		 .name = "N",
		 .id = "I"},
		{.operation = OPERATION_DUPLICATE_SECRET,
		 .account = ACCOUNT,
		 .store_id = "S",
		 .name = "N"},
		{.operation = OPERATION_FIND_SECRET,
		 .account = ACCOUNT,
		 .store_id = "S",
		 .name = "N",
		 .id = ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(asks); i++)
		assert_no_request(&provider_cloudflare, &asks[i]);
}

/* A control character takes six bytes, and the body is as large as that from the start. */
static void test_the_largest_value_fits_into_locked_memory(void **state)
{
	uint8_t *value = malloc(65536);
	struct op_args args = {.operation = OPERATION_PUT_SECRET,
			       .mode = PUT_REPLACE,
			       .account = ACCOUNT,
			       .store_id = "S",
			       .id = "I",
			       .name = "NAME",
			       .value = value,
			       .value_length = 65536};
	struct http_request request = {0};
	struct locked_pool pool;

	(void)state;
	memset(value, 1, 65536);
	locked_pool_init(&pool, 1 << 20);
	request.body.pool = &pool;
	assert_int_equal(provider_cloudflare.build_request(&provider_cloudflare, &args, &request),
			 0);
	assert_int_equal(request.body.length, 65536 * 6 + strlen("{\"value\":\"\"}"));
	assert_memory_equal(request.body.data + request.body.length - 8, "\\u0001\"}", 8);
	assert_int_equal(pool.held, request.body.size);
	http_request_free(&request);
	assert_int_equal(pool.held, 0);
	pool.cap = 65536;
	assert_int_equal(provider_cloudflare.build_request(&provider_cloudflare, &args, &request),
			 -ENOBUFS);
	http_request_free(&request);
	free(value);
}

static void test_names_that_the_service_takes(void **state)
{
	static const char *const good[] = {"NAME", "a-b_C9", "-", "_"};
	static const char *const bad[] = {"",	 ".",	"%2E", "a.b", "a b", "a%2Fb", "caf\xc3\xa9",
					  "a[b", "a^b", "a`b", "a\\b"};
	static const char *const stores[] = {"NAME",	    "a.b",   "a b",
					     "caf\xc3\xa9", "a%2Fb", "%2Esstorefs"};
	char name[257];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++)
		assert_true(provider_cloudflare.name_is_valid(good[i]));
	for (i = 0; i < COUNT(bad); i++)
		assert_false(provider_cloudflare.name_is_valid(bad[i]));
	for (i = 0; i < COUNT(stores); i++)
		assert_true(provider_cloudflare.store_name_is_valid(stores[i]));
	assert_false(provider_cloudflare.store_name_is_valid(""));
	memset(name, 'x', 256);
	name[255] = '\0';
	assert_true(provider_cloudflare.name_is_valid(name));
	name[255] = 'x';
	name[256] = '\0';
	assert_false(provider_cloudflare.name_is_valid(name));
}

static void test_credentials_are_a_token_or_an_address_with_its_key(void **state)
{
	static const char token[] = "Authorization: Bearer TOKEN",
			  pair[] = "X-Auth-Email: a@b.c\0X-Auth-Key: TOKEN";
	struct locked lines = {0};

	(void)state;
	assert_int_equal(
		provider_cloudflare.authorize(&(struct credentials){.token = "TOKEN"}, &lines), 0);
	assert_int_equal(lines.length, sizeof(token));
	assert_memory_equal(lines.data, token, sizeof(token));
	locked_free(&lines);
	assert_int_equal(provider_cloudflare.authorize(
				 &(struct credentials){.token = "TOKEN", .email = "a@b.c"}, &lines),
			 0);
	assert_int_equal(lines.length, sizeof(pair));
	assert_memory_equal(lines.data, pair, sizeof(pair));
	locked_free(&lines);
	assert_int_equal(
		provider_cloudflare.authorize(&(struct credentials){.token = "a\nb"}, &lines),
		-EINVAL);
	assert_int_equal(
		provider_cloudflare.authorize(
			&(struct credentials){.token = "a", .email = "a@b\r\nX: y"}, &lines),
		-EINVAL);
	locked_free(&lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_are_what_the_service_takes),
		cmocka_unit_test(test_nothing_is_asked_without_the_ids_it_needs),
		cmocka_unit_test(test_the_largest_value_fits_into_locked_memory),
		cmocka_unit_test(test_names_that_the_service_takes),
		cmocka_unit_test(test_credentials_are_a_token_or_an_address_with_its_key),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
