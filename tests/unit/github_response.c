/* GitHub's responses: what is granted, what makes no sense, and what refusals mean (doc/apis.md,
 * GitHub 2 to 6). */
#include "check.h"
#include "parsed.h"

#define TIMES "\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":\"2026-02-01T00:00:00Z\""
#define SHOWN " created=2026-01-01T00:00:00Z modified=2026-02-01T00:00:00Z;"
#define FIXED                                                                                      \
	"actions id=actions;dependabot id=dependabot;codespaces id=codespaces;agents id=agents;"
#define KEY	   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define REQUEST_ID "X-GitHub-Request-Id: 1:2\n"

static const struct op_args list_stores = {.operation = OPERATION_LIST_STORES, .page = 1};
static const struct op_args more_stores = {.operation = OPERATION_LIST_STORES, .page = 2};
static const struct op_args find_store = {.operation = OPERATION_FIND_STORE, .name = "a%2Fb"};
static const struct op_args find_fixed = {.operation = OPERATION_FIND_STORE, .name = "actions"};
static const struct op_args create_store = {.operation = OPERATION_CREATE_STORE, .name = "prod"};
static const struct op_args delete_store = {.operation = OPERATION_DELETE_STORE,
					    .store_id = "environments/prod"};
static const struct op_args list = {
	.operation = OPERATION_LIST_SECRETS, .store_id = "actions", .page = 1};
static const struct op_args find = {
	.operation = OPERATION_FIND_SECRET, .store_id = "actions", .name = "NAME"};
static const struct op_args put = {.operation = OPERATION_PUT_SECRET,
				   .mode = PUT_UPSERT,
				   .store_id = "actions",
				   .name = "NAME"};
static const struct op_args delete_secret = {
	.operation = OPERATION_DELETE_SECRET, .store_id = "actions", .name = "NAME"};
static const struct op_args key = {.operation = OPERATION_CLIENT_KEY, .store_id = "actions"};
static const struct op_args repositories = {
	.operation = OPERATION_LIST_REPOSITORIES, .store_id = "actions", .name = "NAME", .page = 1};
static const struct op_args repository = {.operation = OPERATION_FIND_REPOSITORY, .name = "web"};

static int read_text(const struct op_args *args, int status, const char *headers, const char *body)
{
	struct buffer lines = {0};
	int error;

	buffer_printf(&lines, REQUEST_ID "%s", headers);
	error = read_answer(provider_has(&provider_github_organization, args->operation)
				    ? &provider_github_organization
				    : &provider_github,
			    args, status, buffer_cstr(&lines), body);
	buffer_finish(&lines);
	return error;
}

static void test_what_is_granted(void **state)
{
	static const struct {
		const struct op_args *ask;
		int status;
		const char *body, *text;
		int total;
	} cases[] = {
		{&list_stores, 200,
		 "{\"total_count\":1,\"environments\":[{\"id\":7,\"name\":\"a/b\"," TIMES
		 ",\"protection_rules\":[]}]}",
		 FIXED "a%2Fb id=environments/a/b" SHOWN, 1},
		{&list_stores, 200, "{\"total_count\":0,\"environments\":[]}", FIXED, 0},
		{&list_stores, 200, "{\"total_count\":0}", FIXED, 0},
		{&more_stores, 200, "{\"environments\":[{\"name\":\"x\"}]}", "x id=environments/x;",
		 -1},
		{&find_store, 200, "{\"name\":\"a/b\"}", "a%2Fb id=environments/a/b;", 0},
		{&find_fixed, 200, "{\"total_count\":2,\"secrets\":[]}", "actions id=actions;", 0},
		{&create_store, 200, "{\"name\":\"prod\"," TIMES "}",
		 "prod id=environments/prod" SHOWN, 0},
		{&delete_store, 204, "", "", 0},
		{&list, 200, "{\"total_count\":2,\"secrets\":[{\"name\":\"A\"," TIMES "},7]}",
		 "A" SHOWN, 2},
		{&find, 200, "{\"name\":\"NAME\"," TIMES "}", "NAME" SHOWN, 0},
		{&put, 201, "{}", "", 0},
		{&put, 201, "", "", 0},
		{&put, 204, "", "", 0},
		{&delete_secret, 204, "", "", 0},
		{&key, 200, "{\"key_id\":\"568\",\"key\":\"" KEY "\",\"title\":\"x\"}", "", 0},
		{&repositories, 200,
		 "{\"total_count\":2,\"repositories\":[{\"id\":12345678901,\"name\":\"web\"},{\"name\":\"no id\"}]}",
		 "web id=12345678901;", 2},
		{&repository, 200, "{\"id\":5,\"name\":\"Web\",\"full_name\":\"octo-org/Web\"}",
		 "Web id=5;", 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_text(cases[i].ask, cases[i].status, "", cases[i].body), 0);
		assert_string_equal(buffer_cstr(&got.text), cases[i].text);
		assert_int_equal(got.result.total, cases[i].total);
		assert_string_equal(got.failure.request_id, "1:2");
	}
}

static void test_a_put_tells_what_it_did(void **state)
{
	(void)state;
	read_text(&put, 201, "", "{}");
	assert_true(got.result.created && !got.result.replaced);
	/* The example of GitHub's own schema. */
	assert_int_equal(read_text(&put, 201, "", "null\n"), 0);
	assert_true(got.result.created && !got.result.replaced);
	read_text(&put, 204, "", "");
	assert_true(got.result.replaced && !got.result.created);
}

static void test_a_key_has_an_id_and_no_signature(void **state)
{
	(void)state;
	read_text(&key, 200, "", "{\"key_id\":\"568\",\"key\":\"" KEY "\"}");
	assert_string_equal(got.result.client_key.id, "568");
	assert_int_equal(got.result.client_key.public_key_length, 32);
	assert_int_equal(got.result.client_key.public_key[31], 31);
	assert_int_equal(got.result.client_key.signature_length, 0);
}

static void test_what_makes_no_sense_is_unreadable(void **state)
{
	static const struct {
		const struct op_args *ask;
		int status;
		const char *body;
	} cases[] = {
		{&list, 200, ""},
		{&list, 200, "[]"},
		{&list, 200, "{}"},
		{&list, 200, "{\"secrets\":{}}"},
		{&list, 200, "{\"total_count\":0,\"secrets\":{}}"},
		{&list, 200, "{\"total_count\":1,\"secrets\":null}"},
		{&list_stores, 200, "{\"secrets\":[]}"},
		{&find, 200, "{}"},
		{&find, 200, "{\"name\":\"OTHER\"}"},
		{&find_store, 200, "{\"name\":\"other\"}"},
		{&put, 200, "{}"},
		{&put, 201, "<html>"},
		{&put, 201, "nullnull"},
		{&put, 204, "<html>"},
		{&put, 202, ""},
		{&delete_secret, 200, "<html>"},
		{&key, 200, "{\"key\":\"" KEY "\"}"},
		{&key, 200, "{\"key_id\":\"\",\"key\":\"" KEY "\"}"},
		{&key, 200, "{\"key_id\":568,\"key\":\"" KEY "\"}"},
		{&key, 200, "{\"key_id\":\"568\"}"},
		{&repository, 200, "{\"name\":\"web\"}"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_text(cases[i].ask, cases[i].status, "", cases[i].body), EIO);
		assert_int_equal(got.retry_hint, RETRY_AFTER_CHECK);
	}
}

static void test_what_refusals_mean(void **state)
{
	static const struct {
		const struct op_args *ask;
		int status;
		const char *headers, *message;
		int error;
		enum retry_hint retry_hint;
	} cases[] = {
		{&list, 401, "", "Bad credentials", EACCES, RETRY_NEVER},
		{&put, 403, "", "Resource not accessible by personal access token", EACCES,
		 RETRY_NEVER},
		{&put, 403, "X-RateLimit-Remaining: 7\n", "Resource not accessible by integration",
		 EACCES, RETRY_NEVER},
		{&list, 403, "X-RateLimit-Remaining: 0\n", "API rate limit exceeded for user ID 1.",
		 EAGAIN, RETRY_LATER},
		{&list, 429, "X-RateLimit-Remaining: 0\n", "API rate limit exceeded for user ID 1.",
		 EAGAIN, RETRY_LATER},
		{&put, 403, "Retry-After: 9\n", "You have exceeded a secondary rate limit.", EAGAIN,
		 RETRY_LATER},
		{&put, 403, "X-RateLimit-Remaining: 4990\n",
		 "You have exceeded a secondary rate limit.", EAGAIN, RETRY_LATER},
		{&put, 429, "", "Too many requests", EAGAIN, RETRY_LATER},
		{&find, 404, "", "Not Found", ENOENT, RETRY_NEVER},
		{&delete_secret, 404, "", "Not Found", ENOENT, RETRY_NEVER},
		{&put, 409, "", "Conflict", EIO, RETRY_LATER},
		{&put, 422, "", "The maximum number of secrets is reached", EDQUOT, RETRY_NEVER},
		{&put, 403, "", "The maximum number of secrets is reached", EDQUOT, RETRY_NEVER},
		{&put, 422, "", "Secret value is too large: the limit is 48 KB", EFBIG,
		 RETRY_NEVER},
		{&put, 422, "", "Secret names must not start with GITHUB_.", EINVAL, RETRY_NEVER},
		{&create_store, 422, "", "Invalid request.", EINVAL, RETRY_NEVER},
		{&put, 500, "", "Server Error", EIO, RETRY_AFTER_CHECK},
		{&put, 502, "", "Server Error", EIO, RETRY_AFTER_CHECK},
		{&list, 301, "Location: https://api.github.com/repositories/1\n",
		 "Moved Permanently", EIO, RETRY_NEVER},
	};
	struct buffer body = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		buffer_clear(&body);
		buffer_printf(&body, "{\"message\":\"%s\",\"status\":\"%d\"}", cases[i].message,
			      cases[i].status);
		assert_int_equal(read_text(cases[i].ask, cases[i].status, cases[i].headers,
					   buffer_cstr(&body)),
				 cases[i].error);
		assert_int_equal(got.retry_hint, cases[i].retry_hint);
		assert_non_null(strstr(got.failure.message, cases[i].message));
		assert_false(got.failure.key_is_rejected);
	}
	buffer_finish(&body);
}

static void test_an_environment_is_absent_under_another_spelling(void **state)
{
	(void)state;
	assert_int_equal(read_text(&find_store, 200, "", "{\"name\":\"A/b\"}"), ENOENT);
	assert_int_equal(got.retry_hint, RETRY_NEVER);
	assert_non_null(strstr(got.failure.message, "the service has it as A%2Fb"));
}

static void test_a_value_may_be_sealed_under_the_wrong_key(void **state)
{
	(void)state;
	assert_int_equal(
		read_text(
			&put, 422, "",
			"{\"message\":\"Bad request - validation failed due to an improperly encrypted secret\"}"),
		EINVAL);
	assert_true(got.failure.key_is_rejected);
	assert_int_equal(
		read_text(
			&put, 422, "",
			"{\"message\":\"Invalid request.\",\"errors\":[\"bad key_id\",{\"message\":\"x\"}]}"),
		EINVAL);
	assert_true(got.failure.key_is_rejected);
	assert_string_equal(got.failure.message, "Invalid request.; bad key_id; x");
}

static void test_what_is_not_there_may_be_hidden(void **state)
{
	static const struct op_args *const asks[] = {&list_stores, &find_store, &list, &put, &key};

	(void)state;
	for (size_t i = 0; i < COUNT(asks); i++) {
		assert_int_equal(read_text(asks[i], 404, "", "{\"message\":\"Not Found\"}"),
				 ENOENT);
		assert_true(got.failure.store_is_deleted);
		assert_non_null(strstr(got.failure.message, "token may not see it"));
	}
	assert_int_equal(read_text(&find, 404, "", "{\"message\":\"Not Found\"}"), ENOENT);
	assert_false(got.failure.store_is_deleted);
}

static struct rate_limit limit_of(int status, const char *headers, const char *body)
{
	struct http_response response = text_answer(status, headers, body);
	struct rate_limit limit;

	provider_github.read_rate_limit(&response, &limit);
	http_response_free(&response);
	return limit;
}

static void test_primary_and_secondary_limits_are_told_apart(void **state)
{
#define DATE	"Date: Thu, 01 Jan 1970 00:01:40 GMT\n"
#define LEFT(n) "X-RateLimit-Remaining: " #n "\nX-RateLimit-Reset: 160\n" DATE
	struct rate_limit limit = limit_of(200, LEFT(7), "{}");

	(void)state;
	assert_true(limit.remaining == 7 && limit.resets_in_ms == 60000 && limit.wait_ms == 0);
	limit = limit_of(403, LEFT(0), "{\"message\":\"API rate limit exceeded\"}");
	assert_true(limit.remaining == 0 && limit.wait_ms == 60000 && !limit.wait_is_guess);
	limit = limit_of(403, LEFT(7) "Retry-After: 9\n",
			 "{\"message\":\"You have exceeded a secondary rate limit\"}");
	assert_true(limit.remaining == 7 && limit.wait_ms == 9000 && !limit.wait_is_guess);
	limit = limit_of(403, LEFT(7),
			 "{\"message\":\"You have exceeded a secondary rate limit\"}");
	assert_true(limit.remaining == 7 && limit.wait_ms == 60000 && limit.wait_is_guess);
	limit = limit_of(429, LEFT(7) "Retry-After: 0\n",
			 "{\"message\":\"You have exceeded a secondary rate limit\"}");
	assert_true(limit.wait_ms == 0 && !limit.wait_is_guess);
	/* A date says nothing without the service's own. */
	limit = limit_of(429, "Retry-After: Thu, 01 Jan 1970 00:01:49 GMT\n", "{}");
	assert_true(limit.wait_ms == 60000 && limit.wait_is_guess);
	limit = limit_of(403, LEFT(7), "{\"message\":\"Resource not accessible\"}");
	assert_true(limit.wait_ms == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_granted),
		cmocka_unit_test(test_a_put_tells_what_it_did),
		cmocka_unit_test(test_a_key_has_an_id_and_no_signature),
		cmocka_unit_test(test_what_makes_no_sense_is_unreadable),
		cmocka_unit_test(test_what_refusals_mean),
		cmocka_unit_test(test_an_environment_is_absent_under_another_spelling),
		cmocka_unit_test(test_a_value_may_be_sealed_under_the_wrong_key),
		cmocka_unit_test(test_what_is_not_there_may_be_hidden),
		cmocka_unit_test(test_primary_and_secondary_limits_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, forget_answer);
}
