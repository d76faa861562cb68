/* Fastly's refusals: every family of error bodies, under its own Content-Type or a wrong one, and
 * what they mean (doc/apis.md, Fastly 5). */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "responses.h"
#include "sstorefs/provider.h"

static struct failure failure;
static enum retry_hint retry_hint;

static int refuse(const struct op_args *args, int status, const char *type, const char *body)
{
	char headers[200];
	struct op_result result = {0};
	struct http_response response;
	int failed;

	snprintf(headers, sizeof(headers), "%s%s%sFastly-Trace-Id: trace\n",
		 type ? "Content-Type: " : "", type ? type : "", type ? "\n" : "");
	response = text_answer(status, headers, body);
	failed = provider_fastly.parse_response(&provider_fastly, args, &response, &result,
						&failure, &retry_hint);
	assert_int_equal(failure.errnum, -failed);
	assert_int_equal(failure.http_status, status);
	assert_string_equal(failure.request_id, "trace");
	op_result_free(&result);
	http_response_free(&response);
	return failed;
}

static struct op_args put(enum put_mode mode)
{
	return (struct op_args){.operation = OPERATION_PUT_SECRET,
				.mode = mode,
				.store_id = "STORE",
				.name = "NAME"};
}

static struct op_args other(enum operation operation)
{
	return (struct op_args){.operation = operation, .store_id = "STORE", .name = "NAME"};
}

static void test_every_family_is_understood_under_any_content_type(void **state)
{
	static const struct {
		const char *body, *words;
	} families[] = {
		{"{\"title\":\"Bad Request\",\"detail\":\"duplicate: name\",\"status\":400}",
		 "Bad Request: duplicate: name"},
		{"{\"detail\":\"duplicate: name\",\"errors\":null}", "duplicate: name"},
		{"{\"errors\":[{\"id\":\"0\",\"title\":\"Bad Request\",\"detail\":\"duplicate: name\",\"code\":\"400\","
		 "\"status\":\"400\",\"meta\":{}}]}",
		 "Bad Request: duplicate: name"},
		{"{\"msg\":\"Bad request\",\"detail\":\"duplicate: name\"}",
		 "Bad request: duplicate: name"},
		{"{\"msg\":\"duplicate: name\"}", "duplicate: name"},
		{"{\"title\":\"duplicate: name\",\"detail\":\"duplicate: name\"}",
		 "duplicate: name"},
		{"{\"errors\":[{\"code\":\"400\",\"reason\":\"duplicate: name\",\"title\":\"Bad Request\",\"index\":0}]}",
		 "Bad Request: duplicate: name"},
		{"  \n{\"title\":\"\",\"msg\":null,\"detail\":\"Duplicate: name\\u0000\",\"errors\":[{\"detail\":\"duplicate\"}]}",
		 "duplicate"},
	};
	static const char *const types[] = {"application/problem+json",
					    "application/vnd.api+json",
					    "application/json",
					    "text/html",
					    "nonsense",
					    NULL};
	struct op_args args = put(PUT_CREATE);
	size_t i, j;

	(void)state;
	for (i = 0; i < COUNT(families); i++)
		for (j = 0; j < COUNT(types); j++) {
			assert_int_equal(refuse(&args, 400, types[j], families[i].body), -EEXIST);
			assert_string_equal(failure.message, families[i].words);
			assert_int_equal(retry_hint, RETRY_NEVER);
		}
}

static void test_bodies_without_an_explanation_are_survived(void **state)
{
	static const char *const bodies[] = {
		"",
		"{}",
		"[]",
		"null",
		"{\"errors\":[]}",
		"{\"errors\":[7]}",
		"{\"errors\":{}}",
		"{\"title\":7,\"detail\":{}}",
		"{\"detail\":\"unfinished",
		"<html><head><title>502 Bad Gateway</title></head></html>",
	};
	struct op_args args = put(PUT_UPSERT);
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bodies); i++) {
		assert_int_equal(refuse(&args, 502, "text/html", bodies[i]), -EIO);
		assert_string_equal(failure.message, "502 Bad Gateway, no explanation");
		assert_int_equal(retry_hint, RETRY_AFTER_CHECK);
		assert_int_equal(refuse(&args, 400, NULL, bodies[i]), -EINVAL);
		assert_string_equal(failure.message, "400 Bad Request, no explanation");
	}
	assert_int_equal(refuse(&args, 503, "text/plain; charset=utf-8", "upstream is\nbusy\x1b\n"),
			 -EIO);
	assert_string_equal(failure.message, "upstream is busy\\u001b");
}

static void test_statuses_have_their_errno_for_every_operation(void **state)
{
	static const struct {
		int status, error;
		enum retry_hint retry_hint;
	} cases[] = {
		{401, EACCES, RETRY_NEVER},    {403, EACCES, RETRY_NEVER},
		{404, ENOENT, RETRY_NEVER},    {413, EFBIG, RETRY_NEVER},
		{408, EAGAIN, RETRY_LATER},    {429, EAGAIN, RETRY_LATER},
		{400, EINVAL, RETRY_NEVER},    {418, EINVAL, RETRY_NEVER},
		{500, EIO, RETRY_AFTER_CHECK}, {503, EIO, RETRY_AFTER_CHECK},
		{302, EIO, RETRY_NEVER},
	};
	size_t i;
	int operation;

	(void)state;
	for (operation = 0; operation < OPERATION_COUNT; operation++) {
		struct op_args args = other((enum operation)operation);

		for (i = 0; provider_has(&provider_fastly, operation) && i < COUNT(cases); i++) {
			assert_int_equal(
				refuse(&args, cases[i].status, "application/json",
				       "{\"msg\":\"Provided credentials are missing or invalid\"}"),
				-cases[i].error);
			assert_int_equal(retry_hint, cases[i].retry_hint);
			assert_string_equal(failure.message,
					    "Provided credentials are missing or invalid");
		}
	}
}

static int problem(const struct op_args *args, int status, const char *detail)
{
	char body[300];

	snprintf(body, sizeof(body), "{\"title\":\"Bad Request\",\"detail\":\"%s\",\"status\":%d}",
		 detail, status);
	return -refuse(args, status, "application/problem+json", body);
}

static void test_what_exists_already(void **state)
{
	struct op_args create = put(PUT_CREATE), replace = put(PUT_REPLACE),
		       store = other(OPERATION_CREATE_STORE);

	(void)state;
	assert_int_equal(problem(&create, 400, "duplicate: name"), EEXIST);
	assert_int_equal(problem(&store, 400, "duplicate: name"), EEXIST);
	assert_int_equal(problem(&create, 409, "whatever"), EEXIST);
	assert_int_equal(problem(&store, 409, "whatever"), EEXIST);
	assert_int_equal(problem(&create, 400, "name: may not duplicate itself"), EINVAL);
	assert_int_equal(problem(&replace, 400, "duplicate: name"), EINVAL);
	assert_int_equal(problem(&create, 500, "duplicate: name"), EIO);
	assert_int_equal(problem(&create, 400, "a secret of this name already exists"), EEXIST);
	assert_int_equal(problem(&store, 412, ""), EEXIST);
	assert_int_equal(problem(&replace, 412, ""), EINVAL);
	assert_int_equal(refuse(&create, 400, "text/plain", "duplicate: name"), -EEXIST);
}

static void test_other_conflicts(void **state)
{
	struct op_args either = put(PUT_UPSERT), replace = put(PUT_REPLACE);
	struct op_args secret = other(OPERATION_DELETE_SECRET),
		       store = other(OPERATION_DELETE_STORE);

	(void)state;
	assert_int_equal(problem(&store, 409, "store is not empty"), ENOTEMPTY);
	assert_int_equal(retry_hint, RETRY_NEVER);
	assert_int_equal(problem(&either, 409, "try again"), EINVAL);
	assert_int_equal(retry_hint, RETRY_NEVER);
	assert_int_equal(problem(&replace, 409, "try again"), EINVAL);
	assert_int_equal(problem(&secret, 409, "try again"), EINVAL);
	assert_int_equal(retry_hint, RETRY_NEVER);
}

static void test_what_is_missing_may_be_said_with_a_400(void **state)
{
	struct op_args replace = put(PUT_REPLACE), create = put(PUT_CREATE),
		       find = other(OPERATION_FIND_SECRET);

	(void)state;
	assert_int_equal(problem(&replace, 400, "secret not found"), ENOENT);
	assert_int_equal(problem(&replace, 400, "secret does not exist"), ENOENT);
	assert_int_equal(problem(&find, 400, "Record not found"), ENOENT);
	assert_int_equal(problem(&replace, 400, "client_key: not found"), EINVAL);
	assert_int_equal(problem(&replace, 400, "client_key: unknown or expired"), EINVAL);
	assert_int_equal(problem(&create, 400, "secret not found"), EINVAL);
	assert_int_equal(problem(&replace, 403, "service not found"), EACCES);
}

static void test_quotas_are_distinguished_from_other_limits(void **state)
{
	static const char *const quotas[] = {
		"the maximum number of secrets is reached",
		"the maximum number of stores is reached",
		"Quota exceeded",
		"secret limit exceeded",
		"you have reached the limit of secret stores",
		"too many secrets",
		"you can only have up to 10 secrets",
		"no more than 10 stores are possible",
	};
	static const struct {
		const char *detail;
		int error;
	} others[] = {
		{"name: exceeds the maximum of 255 characters", EINVAL},
		{"name must not exceed 255", EINVAL},
		{"invalid name", EINVAL},
		{"up to 64 KiB for secrets", EINVAL},
		{"client_key: must be 32 bytes", EINVAL},
		{"secret: invalid base64", EINVAL},
		{"rate limit exceeded", EINVAL},
		{"too many requests", EINVAL},
		{"secret: too large", EFBIG},
		{"secret exceeds the maximum size of 64KB", EFBIG},
		{"secret must be at most 65536 bytes", EFBIG},
	};
	struct op_args create = put(PUT_CREATE), either = put(PUT_UPSERT),
		       replace = put(PUT_REPLACE);
	struct op_args store = other(OPERATION_CREATE_STORE), list = other(OPERATION_LIST_SECRETS);
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(quotas); i++) {
		assert_int_equal(problem(&create, 400, quotas[i]), EDQUOT);
		assert_int_equal(problem(&either, 403, quotas[i]), EDQUOT);
		assert_int_equal(problem(&store, 402, quotas[i]), EDQUOT);
		assert_int_equal(problem(&replace, 400, quotas[i]), EINVAL);
		assert_int_equal(problem(&list, 400, quotas[i]), EINVAL);
		assert_int_equal(problem(&create, 500, quotas[i]), EIO);
		assert_int_equal(problem(&create, 429, quotas[i]), EAGAIN);
	}
	for (i = 0; i < COUNT(others); i++)
		assert_int_equal(problem(&either, 400, others[i].detail), others[i].error);
	assert_int_equal(problem(&either, 403, "access is limited to superusers"), EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_family_is_understood_under_any_content_type),
		cmocka_unit_test(test_bodies_without_an_explanation_are_survived),
		cmocka_unit_test(test_statuses_have_their_errno_for_every_operation),
		cmocka_unit_test(test_what_exists_already),
		cmocka_unit_test(test_other_conflicts),
		cmocka_unit_test(test_what_is_missing_may_be_said_with_a_400),
		cmocka_unit_test(test_quotas_are_distinguished_from_other_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
