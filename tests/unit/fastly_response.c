/* Fastly's answers: those that grant, in the shapes that were recorded, and those that make no
 * sense (doc/apis.md, Fastly). */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "check.h"
#include "responses.h"
#include "sstorefs/provider.h"

#define JSON                                                                                       \
	"Content-Type: application/json\nDate: Mon, 27 Nov 2023 15:54:54 GMT\nFastly-Trace-Id: BcgnEl4Q9K8MtATbK58Cmm\n"
#define SECONDS (INT64_C(1) * NANOSECONDS)

/* The entries of one answer, copied. */
struct taken {
	char names[8][300], ids[8][64], digests[8][64];
	wall_time_ns created[8], modified[8], expires[8];
	unsigned count;
	int refuse; /* what take() returns */
};

static int take(void *context, const struct entry *entry)
{
	struct taken *taken = context;
	unsigned i = taken->count++;

	assert_true(i < 8);
	strcpy(taken->names[i], entry->name);
	strcpy(taken->ids[i], entry->id ? entry->id : "");
	strcpy(taken->digests[i], entry->digest ? entry->digest : "");
	taken->created[i] = entry->created_at;
	taken->modified[i] = entry->modified_at;
	taken->expires[i] = entry->expires_at;
	assert_int_equal(entry->livemode, -1);
	assert_null(entry->status);
	return taken->refuse;
}

static struct {
	struct taken taken;
	struct op_result result;
	struct failure failure;
	enum retry_hint retry_hint;
} got;

/* Reads one answer into `got`. */
static int read_bytes(const struct op_args *args, int status, const char *headers, const void *body,
		      size_t length)
{
	struct http_response response = make_answer(status, headers, body, length);
	int failed, refuse = got.taken.refuse;

	op_result_free(&got.result);
	memset(&got, 0, sizeof(got));
	got.taken.refuse = refuse;
	got.result.on_entry = take;
	got.result.context = &got.taken;
	failed = provider_fastly.parse_response(&provider_fastly, args, &response, &got.result,
						&got.failure, &got.retry_hint);
	assert_int_equal(got.failure.errnum, -failed);
	assert_int_equal(got.failure.http_status, status);
	http_response_free(&response);
	return failed;
}

static int read_text(const struct op_args *args, int status, const char *body)
{
	return read_bytes(args, status, JSON, body, strlen(body));
}

static int finish(void **state)
{
	(void)state;
	op_result_free(&got.result);
	memset(&got, 0, sizeof(got));
	return 0;
}

static const struct op_args list_stores = {.operation = OPERATION_LIST_STORES};
static const struct op_args list_secrets = {.operation = OPERATION_LIST_SECRETS,
					    .store_id = "STORE"};
static const struct op_args find_secret = {
	.operation = OPERATION_FIND_SECRET, .store_id = "STORE", .name = "NAME"};
static const struct op_args client_key = {.operation = OPERATION_CLIENT_KEY};
static const struct op_args signing_key = {.operation = OPERATION_SIGNING_KEY};

static struct op_args find_store(const char *name)
{
	return (struct op_args){.operation = OPERATION_FIND_STORE, .name = name};
}

static void test_a_page_of_stores(void **state)
{
	(void)state;
	assert_int_equal(
		read_text(
			&list_stores, 200,
			"{\n  \"data\": [\n    {\n      \"id\": \"6a1U7edUQlMux6qO6KFjlU\",\n"
			"      \"name\": \"prod\",\n      \"created_at\": \"2022-11-28T22:40:38Z\"\n    },\n"
			"    {\n      \"id\": \"Alo6zAdQFQXcOzMV1RI0on\",\n      \"name\": \".sstorefs\",\n"
			"      \"created_at\": \"2022-11-28T22:40:39Z\"\n    }\n  ],\n"
			"  \"meta\": {\n    \"limit\": 10\n  }\n}\n"),
		0);
	assert_int_equal(got.taken.count, 2);
	assert_string_equal(got.taken.names[0], "prod");
	assert_string_equal(got.taken.ids[0], "6a1U7edUQlMux6qO6KFjlU");
	assert_true(got.taken.created[0] == 1669675238 * SECONDS);
	assert_string_equal(got.taken.names[1], "%2Esstorefs");
	assert_int_equal(got.result.entries, 2);
	assert_int_equal(got.result.cursor.length, 0);
	assert_string_equal(got.failure.request_id, "BcgnEl4Q9K8MtATbK58Cmm");
}

static void test_a_page_of_secrets_with_a_cursor(void **state)
{
	(void)state;
	assert_int_equal(
		read_text(
			&list_secrets, 200,
			"{\"data\":[{\"name\":\"a\",\"digest\":\"UpTE7iRgHnf0hsQd23RoE7YET3NSptFrJbU79XgHi/g=\","
			"\"created_at\":\"2022-11-28T22:40:40Z\"}],\"meta\":{\"limit\":10,\"next_cursor\":\"abc/+=\"}}"),
		0);
	assert_int_equal(got.taken.count, 1);
	assert_string_equal(got.taken.ids[0], "");
	assert_string_equal(got.taken.digests[0], "UpTE7iRgHnf0hsQd23RoE7YET3NSptFrJbU79XgHi/g=");
	assert_true(got.taken.created[0] == 1669675240 * SECONDS);
	assert_true(got.taken.modified[0] == got.taken.created[0]);
	assert_true(got.taken.expires[0] == TIME_UNKNOWN);
	assert_string_equal(buffer_cstr(&got.result.cursor), "abc/+=");
}

static void test_a_listing_ends_without_a_cursor(void **state)
{
	static const char *const ends[] = {
		"{\"data\":[]}",
		"{\"data\":[],\"meta\":null}",
		"{\"data\":[],\"meta\":{}}",
		"{\"data\":[],\"meta\":{\"next_cursor\":null}}",
		"{\"data\":[],\"meta\":{\"next_cursor\":\"\"}}",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(ends); i++) {
		assert_int_equal(read_text(&list_secrets, 200, ends[i]), 0);
		assert_int_equal(got.result.cursor.length, 0);
		assert_int_equal(got.taken.count, 0);
	}
}

static void test_pages_that_make_no_sense_are_unreadable(void **state)
{
	static const char *const bodies[] = {
		"",
		"null",
		"[]",
		"\"yes\"",
		"{}",
		"{\"data\":null}",
		"{\"data\":{\"0\":\"entry\"}}",
		"{\"data\":[],\"meta\":7}",
		"{\"data\":[],\"meta\":[]}",
		"{\"data\":[],\"meta\":{\"next_cursor\":7}}",
		"{\"data\":[],\"meta\":{\"next_cursor\":{}}}",
		"{\"data\":[],\"meta\":{\"next_cursor\":[\"a\"]}}",
		"{\"data\":[],\"meta\":{\"next_cursor\":true}}",
		"{\"data\":[],\"meta\":{\"next_cursor\":\"a\\u0000b\"}}",
		"{\"data\":[{\"name\":\"a\"}",
		"{\"data\":[]}}} and then some",
		"{\"data\":[\"\xff\"]}",
		"<html><head><title>Welcome</title></head><body>Please log in</body></html>",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bodies); i++) {
		assert_int_equal(read_text(&list_secrets, 200, bodies[i]), -EIO);
		assert_int_equal(got.retry_hint, RETRY_AFTER_CHECK);
		assert_string_not_equal(got.failure.message, "");
		assert_int_equal(got.taken.count, 0);
	}
	assert_int_equal(read_text(&list_secrets, 203, "{\"data\":[]}"), -EIO);
	assert_int_equal(got.retry_hint, RETRY_AFTER_CHECK);
}

static void test_a_deep_nest_is_an_error_and_nothing_worse(void **state)
{
	enum { DEPTH = 200000 };
	char *nest = malloc(2 * DEPTH);

	(void)state;
	memset(nest, '[', DEPTH);
	memset(nest + DEPTH, ']', DEPTH);
	assert_int_equal(read_bytes(&list_secrets, 200, JSON, nest, 2 * DEPTH), -EIO);
	assert_int_equal(got.retry_hint, RETRY_AFTER_CHECK);
	free(nest);
}

static void test_what_is_no_entry_costs_only_itself(void **state)
{
	char body[1000], name[301];

	(void)state;
	memset(name, 'x', 300);
	name[300] = '\0';
	snprintf(
		body, sizeof(body),
		"{\"data\":[7,null,\"entry\",[],{},{\"name\":5},{\"name\":\"\"},{\"name\":\"%s\"},"
		"{\"name\":\"nul\\u0000\"},{\"name\":\"a/b\",\"digest\":7,\"created_at\":\"yesterday\"},{\"name\":\"ok\"}]}",
		name);
	assert_int_equal(read_text(&list_secrets, 200, body), 0);
	assert_int_equal(got.result.entries, 11);
	assert_int_equal(got.result.malformed, 7);
	assert_int_equal(got.result.names_too_long, 1);
	assert_int_equal(got.taken.count, 3);
	assert_string_equal(got.taken.names[0], "nul%00");
	assert_string_equal(got.taken.names[1], "a%2Fb");
	assert_string_equal(got.taken.digests[1], "");
	assert_true(got.taken.created[1] == TIME_UNKNOWN);
	assert_string_equal(got.taken.names[2], "ok");
}

static void test_a_store_without_an_id_is_none(void **state)
{
	(void)state;
	assert_int_equal(
		read_text(
			&list_stores, 200,
			"{\"data\":[{\"name\":\"a\"},{\"name\":\"b\",\"id\":7},{\"name\":\"c\",\"id\":\"\"},"
			"{\"name\":\"d\",\"id\":\"client-key\"},{\"name\":\"e\",\"id\":\"good\"}]}"),
		0);
	assert_int_equal(got.result.malformed, 4);
	assert_int_equal(got.taken.count, 1);
	assert_string_equal(got.taken.names[0], "e");
}

static void test_an_error_of_the_callback_ends_the_parsing(void **state)
{
	(void)state;
	got.taken.refuse = -ENOMEM;
	assert_int_equal(
		read_text(&list_secrets, 200, "{\"data\":[{\"name\":\"a\"},{\"name\":\"b\"}]}"),
		-ENOMEM);
	assert_int_equal(got.taken.count, 1);
}

#define ONE_STORE                                                                                  \
	"{\"data\":[{\"id\":\"6a1U7edUQlMux6qO6KFjlU\",\"name\":\"prod\"}],\"meta\":{\"limit\":10}}"

static void test_a_store_is_found_by_its_exact_name(void **state)
{
	struct op_args args = find_store("prod");

	(void)state;
	assert_int_equal(read_text(&args, 200, ONE_STORE), 0);
	assert_int_equal(got.taken.count, 1);
	assert_string_equal(got.taken.ids[0], "6a1U7edUQlMux6qO6KFjlU");
	assert_int_equal(
		read_text(
			&args, 200,
			"{\"data\":[{\"id\":\"1\",\"name\":\"Prod\"},{\"id\":\"2\",\"name\":\"prod2\"},"
			"{\"id\":\"3\",\"name\":\"prod\"},{\"id\":\"4\",\"name\":\"prod\"}]}"),
		0);
	assert_int_equal(got.taken.count, 2);
	assert_string_equal(got.taken.ids[0], "3");
}

static void test_no_store_of_a_name_is_enoent_in_every_form(void **state)
{
	struct op_args args = find_store("other");

	(void)state;
	assert_int_equal(read_text(&args, 200, "{\"data\":[],\"meta\":{\"limit\":200}}"), -ENOENT);
	assert_int_equal(got.retry_hint, RETRY_NEVER);
	assert_string_not_equal(got.failure.message, "");
	assert_int_equal(read_text(&args, 200, ONE_STORE), -ENOENT);
	assert_int_equal(got.taken.count, 0);
	assert_int_equal(read_text(&args, 404, "{\"title\":\"Not Found\",\"status\":404}"),
			 -ENOENT);
	/* The filter was overlooked: there is more to look at. */
	assert_int_equal(read_text(&args, 200, "{\"data\":[],\"meta\":{\"next_cursor\":\"n\"}}"),
			 0);
	assert_string_equal(buffer_cstr(&got.result.cursor), "n");
}

static void test_a_store_is_created(void **state)
{
	const struct op_args args = {.operation = OPERATION_CREATE_STORE, .name = "prod"};
	static const char *const wrong[] = {"", "{}", "{\"name\":\"prod\"}",
					    "{\"id\":\"1\",\"name\":7}", "[]"};
	size_t i;

	(void)state;
	assert_int_equal(
		read_text(&args, 201,
			  "{\n  \"id\": \"gHoXWTpybFOm2BnwG803dg\",\n  \"name\": \"prod\",\n"
			  "  \"created_at\": \"2023-11-27T15:54:54Z\"\n}\n"),
		0);
	assert_int_equal(got.taken.count, 1);
	assert_string_equal(got.taken.ids[0], "gHoXWTpybFOm2BnwG803dg");
	/* In another spelling: what asked for it compares. */
	assert_int_equal(read_text(&args, 201, "{\"id\":\"1\",\"name\":\"Prod\"}"), 0);
	assert_string_equal(got.taken.names[0], "Prod");
	for (i = 0; i < COUNT(wrong); i++) {
		assert_int_equal(read_text(&args, 201, wrong[i]), -EIO);
		assert_int_equal(got.retry_hint, RETRY_AFTER_CHECK);
	}
}

#define RECREATED                                                                                     \
	"{\n  \"name\": \"NAME\",\n  \"digest\": \"G12VYkOO6Ca4TaIQ48iqHRXhH5O1khQfNPv39oE/+MA=\",\n" \
	"  \"created_at\": \"2023-05-10T21:23:30Z\",\n  \"recreated\": true\n}\n"

static void test_a_secret_is_put_and_found(void **state)
{
	struct op_args args = {
		.operation = OPERATION_PUT_SECRET, .store_id = "STORE", .name = "NAME"};
	static const int statuses[] = {200, 201, 202, 206, 207};
	size_t i;

	(void)state;
	for (args.mode = PUT_CREATE; args.mode <= PUT_UPSERT; args.mode++)
		for (i = 0; i < COUNT(statuses); i++) {
			assert_int_equal(read_text(&args, statuses[i], RECREATED), 0);
			assert_int_equal(got.taken.count, 1);
			assert_string_equal(got.taken.names[0], "NAME");
			assert_string_equal(got.taken.digests[0],
					    "G12VYkOO6Ca4TaIQ48iqHRXhH5O1khQfNPv39oE/+MA=");
			assert_true(got.taken.created[0] == 1683753810 * SECONDS);
			assert_true(got.result.replaced && !got.result.created);
		}
	args.mode = PUT_UPSERT;
	assert_int_equal(read_text(&args, 200, "{\"name\":\"NAME\",\"recreated\":false}"), 0);
	assert_true(got.result.created && !got.result.replaced);
	assert_int_equal(read_text(&args, 204, ""), 0);
	assert_false(got.result.created || got.result.replaced);
	assert_int_equal(read_text(&find_secret, 200, RECREATED), 0);
	assert_int_equal(got.taken.count, 1);
}

static void test_an_answer_about_another_secret_is_none(void **state)
{
	struct op_args args = {.operation = OPERATION_PUT_SECRET,
			       .mode = PUT_UPSERT,
			       .store_id = "STORE",
			       .name = "OTHER"};
	static const char *const wrong[] = {"",	       "{}",	       "[]",
					    RECREATED, "{\"name\":7}", "{\"data\":[]}"};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(wrong); i++) {
		assert_int_equal(read_text(&args, 200, wrong[i]), -EIO);
		assert_int_equal(got.retry_hint, RETRY_AFTER_CHECK);
		assert_int_equal(got.taken.count, 0);
	}
}

static void test_a_deletion_has_no_body(void **state)
{
	static const struct op_args asks[] = {
		{.operation = OPERATION_DELETE_STORE, .store_id = "STORE"},
		{.operation = OPERATION_DELETE_SECRET, .store_id = "STORE", .name = "NAME"}};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(asks); i++) {
		assert_int_equal(read_bytes(&asks[i], 204,
					    "Fastly-Trace-Id: 1ywuWvIbSXgrLYzKfRvjTF\n", "", 0),
				 0);
		assert_string_equal(got.failure.request_id, "1ywuWvIbSXgrLYzKfRvjTF");
		assert_false(got.result.deleted_async);
		assert_int_equal(read_text(&asks[i], 200, "\n"), 0);
		assert_int_equal(got.retry_hint, RETRY_NEVER);
		assert_int_equal(read_text(&asks[i], 200, "{\"status\":\"ok\"}"), 0);
		assert_int_equal(read_text(&asks[i], 202, ""), 0);
		assert_true(got.result.deleted_async);
		assert_int_equal(read_text(&asks[i], 200, "<html>Please log in</html>"), -EIO);
		assert_int_equal(got.retry_hint, RETRY_AFTER_CHECK);
		assert_int_equal(read_text(&asks[i], 404, ""), -ENOENT);
	}
}

#define EXPIRES "\"expires_at\": \"2023-11-27T16:04:54.798109645Z\""
#define KEY	"\"2iMPR4MnTZ3vC2PjShB6PQM8wLb2ckfUOLKwex5sYUc=\""
#define SIGNED                                                                                     \
	"\"signature\": \"xfLzo9i8KTwie/FZID5ZAkPWiCCzbV1T77xUrzuRx3zUvdnF/I6m9Q0WKTKl8qW++NDPhrc/1wmBvILV7EmdAw==\""

static void test_a_client_key_as_it_was_recorded_is_accepted(void **state)
{
	static const char *const bodies[] = {
		"{\n  \"public_key\": " KEY ",\n  " SIGNED ",\n  " EXPIRES "\n}\n",
		"{\"client_key\":" KEY "," SIGNED "," EXPIRES "}",
		"{\"client_key\":\"AAAA\",\"public_key\":" KEY "," SIGNED "," EXPIRES "}",
	};
	uint8_t pinned[crypto_sign_PUBLICKEYBYTES];
	struct client_key key;
	const char *why = NULL;
	size_t i;

	(void)state;
	assert_int_equal(signing_key_decode(pinned, FASTLY_SIGNING_KEY), 0);
	for (i = 0; i < COUNT(bodies); i++) {
		assert_int_equal(read_text(&client_key, 200, bodies[i]), 0);
		assert_int_equal(
			client_key_verify(&key, &got.result.client_key, pinned, NULL, 0, &why), 0);
		assert_int_equal(key.expires_at, 599798);
	}
	assert_int_equal(read_bytes(&client_key, 200, "", bodies[0], strlen(bodies[0])), 0);
	assert_true(got.result.client_key.date == TIME_UNKNOWN);
}

static void test_odd_client_keys_are_left_to_be_refused(void **state)
{
	static const struct {
		const char *body;
		size_t key_length, signature_length;
	} cases[] = {
		{"{\"public_key\":7," SIGNED "," EXPIRES "}", 0, 64},
		{"{\"public_key\":\"not base64!\"," SIGNED "," EXPIRES "}", 0, 64},
		{"{\"public_key\":\"\",\"signature\":\"\"," EXPIRES "}", 0, 0},
		{"{\"public_key\":\"AAAA\",\"signature\":\"AAAAAAA=\"," EXPIRES "}", 3, 5},
		{"{\"public_key\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"," SIGNED
		 "," EXPIRES "}",
		 33, 64},
	};
	char body[4000];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_text(&client_key, 200, cases[i].body), 0);
		assert_int_equal(got.result.client_key.public_key_length, cases[i].key_length);
		assert_int_equal(got.result.client_key.signature_length, cases[i].signature_length);
	}
	memset(body, 'A', sizeof(body));
	memcpy(body, "{" SIGNED ",\"public_key\":\"", strlen("{" SIGNED ",\"public_key\":\""));
	memcpy(body + sizeof(body) - 3, "\"}", 3);
	assert_int_equal(read_text(&client_key, 200, body), 0);
	assert_int_equal(got.result.client_key.public_key_length, 33);
	assert_true(got.result.client_key.expires_at == TIME_UNKNOWN);
}

static void test_no_client_key_at_all_makes_no_sense(void **state)
{
	static const char *const bodies[] = {
		"", "{}", "[]", "{" SIGNED "}", "{\"public_key\":" KEY "}", "{\"data\":[]}"};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bodies); i++) {
		assert_int_equal(read_text(&client_key, 200, bodies[i]), -EIO);
		assert_int_equal(got.retry_hint, RETRY_AFTER_CHECK);
	}
}

static void test_the_signing_key_is_32_bytes(void **state)
{
	uint8_t pinned[crypto_sign_PUBLICKEYBYTES];

	(void)state;
	assert_int_equal(signing_key_decode(pinned, FASTLY_SIGNING_KEY), 0);
	assert_int_equal(read_text(&signing_key, 200,
				   "{\n  \"signing_key\": \"" FASTLY_SIGNING_KEY "\"\n}\n"),
			 0);
	assert_memory_equal(got.result.signing_key, pinned, sizeof(pinned));
	assert_int_equal(read_text(&signing_key, 200, "{\"signing_key\":\"AAAA\"}"), -EKEYREJECTED);
	assert_int_equal(read_text(&signing_key, 200, "{\"signing_key\":\"?\"}"), -EKEYREJECTED);
	assert_int_equal(got.retry_hint, RETRY_NEVER);
	assert_int_equal(read_text(&signing_key, 200, "{\"signing_key\":7}"), -EIO);
	assert_int_equal(read_text(&signing_key, 200, "{}"), -EIO);
	assert_int_equal(got.retry_hint, RETRY_AFTER_CHECK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_a_page_of_stores, finish),
		cmocka_unit_test_teardown(test_a_page_of_secrets_with_a_cursor, finish),
		cmocka_unit_test_teardown(test_a_listing_ends_without_a_cursor, finish),
		cmocka_unit_test_teardown(test_pages_that_make_no_sense_are_unreadable, finish),
		cmocka_unit_test_teardown(test_a_deep_nest_is_an_error_and_nothing_worse, finish),
		cmocka_unit_test_teardown(test_what_is_no_entry_costs_only_itself, finish),
		cmocka_unit_test_teardown(test_a_store_without_an_id_is_none, finish),
		cmocka_unit_test_teardown(test_an_error_of_the_callback_ends_the_parsing, finish),
		cmocka_unit_test_teardown(test_a_store_is_found_by_its_exact_name, finish),
		cmocka_unit_test_teardown(test_no_store_of_a_name_is_enoent_in_every_form, finish),
		cmocka_unit_test_teardown(test_a_store_is_created, finish),
		cmocka_unit_test_teardown(test_a_secret_is_put_and_found, finish),
		cmocka_unit_test_teardown(test_an_answer_about_another_secret_is_none, finish),
		cmocka_unit_test_teardown(test_a_deletion_has_no_body, finish),
		cmocka_unit_test_teardown(test_a_client_key_as_it_was_recorded_is_accepted, finish),
		cmocka_unit_test_teardown(test_odd_client_keys_are_left_to_be_refused, finish),
		cmocka_unit_test_teardown(test_no_client_key_at_all_makes_no_sense, finish),
		cmocka_unit_test_teardown(test_the_signing_key_is_32_bytes, finish),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
