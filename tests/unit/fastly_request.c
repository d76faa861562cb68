/* Fastly's requests, byte for byte (doc/apis.md, Fastly 2; bodies as recorded). */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sstorefs/provider.h"

#define STORES "/resources/stores/secret"
#define STORE  "McoBzaj4jHg6NmNWG7CRRj"

static const uint8_t client_key[crypto_box_PUBLICKEYBYTES] = {0xda, 0x23, 0x0f, 0x47};

static const struct {
	struct op_args ask;
	enum http_method method;
	const char *target, *body;
} cases[] = {
	{{.operation = OPERATION_LIST_STORES}, HTTP_GET, STORES "?limit=200", NULL},
	{{.operation = OPERATION_LIST_STORES, .cursor = "a+b/c=&d"},
	 HTTP_GET,
	 STORES "?limit=200&cursor=a%2Bb%2Fc%3D%26d",
	 NULL},
	{{.operation = OPERATION_FIND_STORE, .name = "prod"},
	 HTTP_GET,
	 STORES "?name=prod&limit=200",
	 NULL},
	{{.operation = OPERATION_FIND_STORE, .name = "%2Esstorefs"},
	 HTTP_GET,
	 STORES "?name=.sstorefs&limit=200",
	 NULL},
	{{.operation = OPERATION_FIND_STORE, .name = "a b&c", .cursor = "next"},
	 HTTP_GET,
	 STORES "?name=a%20b%26c&limit=200&cursor=next",
	 NULL},
	{{.operation = OPERATION_CREATE_STORE, .name = "prod"},
	 HTTP_POST,
	 STORES,
	 "{\"name\":\"prod\"}"},
	{{.operation = OPERATION_DELETE_STORE, .store_id = STORE},
	 HTTP_DELETE,
	 STORES "/" STORE,
	 NULL},
	{{.operation = OPERATION_LIST_SECRETS, .store_id = STORE},
	 HTTP_GET,
	 STORES "/" STORE "/secrets?limit=200",
	 NULL},
	{{.operation = OPERATION_LIST_SECRETS, .store_id = STORE, .cursor = "n"},
	 HTTP_GET,
	 STORES "/" STORE "/secrets?limit=200&cursor=n",
	 NULL},
	{{.operation = OPERATION_LIST_SECRETS, .store_id = "../x"},
	 HTTP_GET,
	 STORES "/..%2Fx/secrets?limit=200",
	 NULL},
	{{.operation = OPERATION_FIND_SECRET, .store_id = STORE, .name = "API_KEY"},
	 HTTP_GET,
	 STORES "/" STORE "/secrets/API_KEY",
	 NULL},
	{{.operation = OPERATION_FIND_SECRET, .store_id = STORE, .name = "%2E"},
	 HTTP_GET,
	 STORES "/" STORE "/secrets/%2E",
	 NULL},
	{{.operation = OPERATION_DELETE_SECRET, .store_id = STORE, .name = "%2E%2E"},
	 HTTP_DELETE,
	 STORES "/" STORE "/secrets/%2E%2E",
	 NULL},
	{{.operation = OPERATION_DELETE_SECRET, .store_id = STORE, .name = "a%2Fb%00 ?#"},
	 HTTP_DELETE,
	 STORES "/" STORE "/secrets/a%2Fb%00%20%3F%23",
	 NULL},
	{{.operation = OPERATION_PUT_SECRET,
	  .mode = PUT_CREATE,
	  .store_id = STORE,
	  .name = "NAME",
	  .value = (const uint8_t *)"secretum servare",
	  .value_length = 16},
	 HTTP_POST,
	 STORES "/" STORE "/secrets",
	 "{\"name\":\"NAME\",\"secret\":\"c2VjcmV0dW0gc2VydmFyZQ==\"}"},
	{{.operation = OPERATION_PUT_SECRET,
	  .mode = PUT_REPLACE,
	  .store_id = STORE,
	  .name = "NAME",
	  .value = (const uint8_t *)"secretum servare!",
	  .value_length = 17,
	  .client_key = client_key},
	 HTTP_PATCH,
	 STORES "/" STORE "/secrets",
	 "{\"name\":\"NAME\",\"secret\":\"c2VjcmV0dW0gc2VydmFyZSE=\","
	 "\"client_key\":\"2iMPRwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}"},
	{{.operation = OPERATION_PUT_SECRET,
	  .mode = PUT_UPSERT,
	  .store_id = STORE,
	  .name = "%2E%2E",
	  .value = (const uint8_t *)"\xff\xfe\0",
	  .value_length = 3},
	 HTTP_PUT,
	 STORES "/" STORE "/secrets",
	 "{\"name\":\"..\",\"secret\":\"//4A\"}"},
	{{.operation = OPERATION_PUT_SECRET,
	  .mode = PUT_UPSERT,
	  .store_id = STORE,
	  .name = "a\"b\\%0A%01\xc3\xa9",
	  .value = (const uint8_t *)"x",
	  .value_length = 1},
	 HTTP_PUT,
	 STORES "/" STORE "/secrets",
	 "{\"name\":\"a\\\"b\\\\\\n\\u0001\xc3\xa9\",\"secret\":\"eA==\"}"},
	{{.operation = OPERATION_CLIENT_KEY}, HTTP_POST, STORES "/client-key", ""},
	{{.operation = OPERATION_SIGNING_KEY}, HTTP_GET, STORES "/signing-key", NULL},
};

static void test_requests_are_what_the_service_takes(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct http_request request = {0};

		assert_int_equal(
			provider_fastly.build_request(&provider_fastly, &cases[i].ask, &request),
			0);
		assert_int_equal(request.method, cases[i].method);
		assert_string_equal(buffer_cstr(&request.target), cases[i].target);
		assert_int_equal(request.headers.length, 25);
		assert_memory_equal(request.headers.data, "Accept: application/json\0", 25);
		assert_int_equal(request.body.length, cases[i].body ? strlen(cases[i].body) : 0);
		if (request.body.length > 0)
			assert_memory_equal(request.body.data, cases[i].body, request.body.length);
		if (cases[i].body)
			assert_string_equal(request.content_type, "application/json");
		else
			assert_null(request.content_type);
		http_request_free(&request);
	}
}

static void test_only_a_value_that_is_not_sealed_is_borne(void **state)
{
	struct op_args args = {.operation = OPERATION_PUT_SECRET,
			       .mode = PUT_UPSERT,
			       .store_id = STORE,
			       .name = "NAME",
			       .value = (const uint8_t *)"v",
			       .value_length = 1};
	struct http_request request = {0};

	(void)state;
	assert_int_equal(provider_fastly.build_request(&provider_fastly, &args, &request), 0);
	assert_true(request.bears_value);
	http_request_free(&request);
	args.client_key = client_key;
	assert_int_equal(provider_fastly.build_request(&provider_fastly, &args, &request), 0);
	assert_false(request.bears_value);
	http_request_free(&request);
}

/* A DELETE or a listing of one of these would not be about a store. */
static void test_what_is_no_store_id_is_refused(void **state)
{
	static const char *const ids[] = {NULL, "", "client-key", "signing-key"};
	static const enum operation operations[] = {OPERATION_DELETE_STORE, OPERATION_LIST_SECRETS,
						    OPERATION_FIND_SECRET, OPERATION_PUT_SECRET,
						    OPERATION_DELETE_SECRET};
	size_t i, j;

	(void)state;
	for (i = 0; i < COUNT(ids); i++)
		for (j = 0; j < COUNT(operations); j++) {
			struct op_args args = {
				.operation = operations[j], .store_id = ids[i], .name = "NAME"};
			struct http_request request = {0};

			assert_int_equal(
				provider_fastly.build_request(&provider_fastly, &args, &request),
				-EINVAL);
			http_request_free(&request);
		}
}

static void test_names_that_are_not_canonical_are_refused(void **state)
{
	static const enum operation operations[] = {OPERATION_FIND_STORE, OPERATION_CREATE_STORE,
						    OPERATION_FIND_SECRET, OPERATION_DELETE_SECRET,
						    OPERATION_PUT_SECRET};
	static const char *const names[] = {"", ".", "..", "a/b", "%2e", "%41"};
	size_t i, j;

	(void)state;
	for (i = 0; i < COUNT(names); i++)
		for (j = 0; j < COUNT(operations); j++) {
			struct op_args args = {
				.operation = operations[j], .store_id = STORE, .name = names[i]};
			struct http_request request = {0};

			assert_int_equal(
				provider_fastly.build_request(&provider_fastly, &args, &request),
				-EINVAL);
			http_request_free(&request);
		}
}

/* doc/apis.md, Fastly 6: 65 584 bytes sealed are 87 448 characters; and it lies in the memory it
 * was given. */
static void test_the_largest_value_fits_into_locked_memory(void **state)
{
	uint8_t *sealed = calloc(1, 65584);
	struct op_args args = {.operation = OPERATION_PUT_SECRET,
			       .mode = PUT_UPSERT,
			       .store_id = STORE,
			       .name = "NAME",
			       .value = sealed,
			       .value_length = 65584};
	struct http_request request = {0};
	struct locked_pool pool;

	(void)state;
	locked_pool_init(&pool, 1 << 20);
	request.body.pool = &pool;
	assert_int_equal(provider_fastly.build_request(&provider_fastly, &args, &request), 0);
	assert_int_equal(request.body.length,
			 strlen("{\"name\":\"NAME\",\"secret\":\"\"}") + 87448);
	assert_int_equal(request.body.data[request.body.length - 1], '}');
	assert_int_equal(pool.held, request.body.size);
	http_request_free(&request);
	assert_int_equal(pool.held, 0);
	pool.cap = 65536;
	assert_int_equal(provider_fastly.build_request(&provider_fastly, &args, &request),
			 -ENOBUFS);
	http_request_free(&request);
	free(sealed);
}

static void test_names_that_fastly_takes(void **state)
{
	static const char *const good[] = {"NAME", "a.b-c_9",	  "%2E", "%2E%2E",
					   ".env", "%2Esstorefs", "-",	 "client-key"};
	static const char *const bad[] = {"",	   ".",		  "..",	   "a b",  "a/b",
					  "a%2Fb", "caf\xc3\xa9", "a%00b", "100%", "%2e",
					  "%41",   "a:b",	  "a~b"};
	char name[257];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++)
		assert_true(provider_fastly.name_is_valid(good[i]));
	for (i = 0; i < COUNT(bad); i++)
		assert_false(provider_fastly.name_is_valid(bad[i]));
	memset(name, 'x', 256);
	name[255] = '\0';
	assert_true(provider_fastly.name_is_valid(name));
	name[255] = 'x';
	name[256] = '\0';
	assert_false(provider_fastly.name_is_valid(name));
}

static void test_the_token_goes_into_one_header_line(void **state)
{
	static const char *const bad[] = {"a\nb", "a b", "a\r", "\x7f"};
	struct locked lines = {0};
	struct credentials credentials = {.token = "TOKEN"};
	size_t i;

	(void)state;
	assert_int_equal(provider_fastly.authorize(&credentials, &lines), 0);
	assert_int_equal(lines.length, 18);
	assert_memory_equal(lines.data, "Fastly-Key: TOKEN\0", 18);
	locked_free(&lines);
	for (i = 0; i < COUNT(bad); i++) {
		credentials.token = bad[i];
		assert_int_equal(provider_fastly.authorize(&credentials, &lines), -EINVAL);
		assert_int_equal(lines.length, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_are_what_the_service_takes),
		cmocka_unit_test(test_only_a_value_that_is_not_sealed_is_borne),
		cmocka_unit_test(test_what_is_no_store_id_is_refused),
		cmocka_unit_test(test_names_that_are_not_canonical_are_refused),
		cmocka_unit_test(test_the_largest_value_fits_into_locked_memory),
		cmocka_unit_test(test_names_that_fastly_takes),
		cmocka_unit_test(test_the_token_goes_into_one_header_line),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
