/* Cloudflare's answers: what is granted, what makes no sense, and what refusals mean (doc/apis.md,
 * Cloudflare 2 to 6, and 6). */
#include "check.h"
#include "parsed.h"

#define RAY	 "CF-RAY: 7d0c-FRA\n"
#define OK(more) "{\"success\":true,\"errors\":[],\"messages\":[]," more "}"
#define ID	 "3fd85f74b32742f1bff64a85009dda07"
#define SECRET                                                                                     \
	"{\"id\":\"" ID "\",\"store_id\":\"S\",\"name\":\"NAME\",\"status\":\"active\","           \
	"\"created\":\"2023-09-21T18:56:32.624632Z\",\"modified\":\"2023-09-22T18:56:32.5Z\","     \
	"\"comment\":\"what for\",\"scopes\":[\"ai_gateway\",\"workers\"]}"
#define SHOWN                                                                                      \
	"NAME id=" ID                                                                              \
	" created=2023-09-21T18:56:32Z modified=2023-09-22T18:56:32Z status=active scopes=ai_gateway:workers comment=what for;"

static const struct op_args list_stores = {.operation = OPERATION_LIST_STORES};
static const struct op_args list_secrets = {.operation = OPERATION_LIST_SECRETS, .store_id = "S"};
static const struct op_args find_store = {.operation = OPERATION_FIND_STORE, .name = "NAME"};
static const struct op_args search = {
	.operation = OPERATION_FIND_SECRET, .store_id = "S", .name = "NAME"};
static const struct op_args get_secret = {
	.operation = OPERATION_FIND_SECRET, .store_id = "S", .name = "NAME", .id = ID};
static const struct op_args create = {
	.operation = OPERATION_PUT_SECRET, .mode = PUT_CREATE, .store_id = "S", .name = "NAME"};
static const struct op_args patch = {.operation = OPERATION_PUT_SECRET,
				     .mode = PUT_REPLACE,
				     .store_id = "S",
				     .name = "NAME",
				     .id = ID};
static const struct op_args edit = {
	.operation = OPERATION_UPDATE_SECRET, .store_id = "S", .name = "NAME", .id = ID};
static const struct op_args duplicate = {
	.operation = OPERATION_DUPLICATE_SECRET, .store_id = "S", .name = "NAME", .id = "OLD"};
static const struct op_args delete_secret = {
	.operation = OPERATION_DELETE_SECRET, .store_id = "S", .name = "NAME", .id = ID};
static const struct op_args create_store = {.operation = OPERATION_CREATE_STORE, .name = "NAME"};
static const struct op_args delete_store = {.operation = OPERATION_DELETE_STORE, .store_id = "S"};
static const struct op_args quota = {.operation = OPERATION_QUOTA};

static int read_text(const struct op_args *args, int status, const char *body)
{
	return read_answer(&provider_cloudflare, args, status, RAY, body);
}

static void test_what_is_granted(void **state)
{
	static const struct {
		const struct op_args *ask;
		const char *body, *text;
	} cases[] = {
		{&list_stores,
		 OK("\"result\":[{\"id\":\"1\",\"name\":\"a/b\",\"created\":\"2023-09-21T18:56:32Z\",\"modified\":\"2023-09-21T18:56:32Z\"},"
		    "{\"id\":\"2\",\"name\":\"b\",\"account_id\":\"x\"}]"),
		 "a%2Fb id=1 created=2023-09-21T18:56:32Z;b id=2;"},
		{&list_secrets, OK("\"result\":[" SECRET "]"), SHOWN},
		{&list_secrets, OK("\"result\":[]"), ""},
		/* The year 1 is how Go writes a time that is not set. */
		{&list_secrets,
		 OK("\"result\":[{\"name\":\"a\",\"created\":\"2023-09-21T18:56:32Z\",\"modified\":\"0001-01-01T00:00:00Z\"}]"),
		 "a created=2023-09-21T18:56:32Z;"},
		{&list_secrets,
		 OK("\"result\":[{\"id\":\"1\",\"name\":\"a\",\"comment\":null,\"scopes\":null},"
		    "{\"id\":\"2\",\"name\":\"b\",\"comment\":\"\",\"scopes\":[],\"created\":\"2023-09-21T18:56:32Z\"},"
		    "{\"name\":\"c\",\"comment\":7,\"scopes\":[1,\"x\",null],\"status\":[],\"created\":5}]"),
		 "a id=1;b id=2 created=2023-09-21T18:56:32Z;c created=1970-01-01T00:00:05Z scopes=x;"},
		{&search,
		 OK("\"result\":[{\"id\":\"1\",\"name\":\"NAME2\"}," SECRET
		    ",{\"id\":\"2\",\"name\":\"name\"}]"),
		 SHOWN},
		{&search, OK("\"result\":[{\"id\":\"1\",\"name\":\"OTHER\",\"comment\":\"NAME\"}]"),
		 ""},
		{&find_store,
		 OK("\"result\":[{\"id\":\"1\",\"name\":\"NAM\"},{\"id\":\"2\",\"name\":\"NAME\"}]"),
		 "NAME id=2;"},
		{&get_secret, OK("\"result\":" SECRET), SHOWN},
		{&create, OK("\"result\":[" SECRET "]"), SHOWN},
		{&create, OK("\"result\":" SECRET), SHOWN},
		{&patch, OK("\"result\":" SECRET), SHOWN},
		{&patch, OK("\"result\":[" SECRET "]"), SHOWN},
		{&edit, OK("\"result\":" SECRET), SHOWN},
		{&duplicate, OK("\"result\":" SECRET ",\"result_info\":{}"), SHOWN},
		{&create_store, OK("\"result\":{\"id\":\"1\",\"name\":\"NAME\"}"), "NAME id=1;"},
		{&create_store,
		 OK("\"result\":[{\"id\":\"1\",\"name\":\"NAME\"}],\"messages\":[\"plain\"]"),
		 "NAME id=1;"},
		/* The schema lets the result be left out. */
		{&patch, "{\"success\":true}", ""},
		{&create, OK("\"result\":null"), ""},
		{&create, OK("\"result\":[]"), ""},
		{&patch, OK("\"result\":{}"), ""},
		{&create_store, OK("\"result\":null"), ""},
		{&duplicate, OK("\"result\":{}"), ""},
		{&list_secrets, OK("\"result\":null"), ""},
		{&list_stores, "{\"success\":true}", ""},
		/* Numbers that no member of ours has cost nothing. */
		{&list_secrets, OK("\"result\":[" SECRET "],\"serial\":18446744073709551616"),
		 SHOWN},
	};
	static const int statuses[] = {200, 201, 202};
	size_t i, j;

	(void)state;
	for (i = 0; i < COUNT(cases); i++)
		for (j = 0; j < COUNT(statuses); j++) {
			assert_int_equal(read_text(cases[i].ask, statuses[j], cases[i].body), 0);
			assert_string_equal(buffer_cstr(&got.text), cases[i].text);
			assert_string_equal(got.failure.request_id, "7d0c-FRA");
		}
}

static void test_a_change_needs_no_body_in_the_response(void **state)
{
	static const struct op_args *const changes[] = {&create, &patch, &edit, &duplicate,
							&create_store};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(changes); i++) {
		assert_int_equal(read_text(changes[i], 204, ""), 0);
		assert_string_equal(buffer_cstr(&got.text), "");
		assert_int_equal(read_text(changes[i], 204, "<html>"), EIO);
		assert_int_equal(read_text(changes[i], 202, ""), EIO);
	}
	assert_int_equal(read_text(&get_secret, 204, ""), EIO);
	assert_int_equal(read_text(&list_secrets, 204, ""), EIO);
}

static void test_numbers_may_have_a_point(void **state)
{
	(void)state;
	assert_int_equal(
		read_text(
			&list_secrets, 200,
			OK("\"result\":[],\"result_info\":{\"total_count\":250.0,\"per_page\":20.0}")),
		0);
	assert_int_equal(got.result.total, 250);
	assert_int_equal(
		read_text(
			&list_secrets, 200,
			OK("\"result\":[],\"result_info\":{\"total_count\":1e300,\"per_page\":100}")),
		0);
	assert_int_equal(got.result.total, -1);
	assert_int_equal(read_text(&quota, 200,
				   OK("\"result\":{\"secrets\":{\"quota\":1e2,\"usage\":7.0}}")),
			 0);
	assert_int_equal(got.result.quota, 100);
	assert_int_equal(got.result.usage, 7);
}

static void test_rows_that_are_deleted_are_passed_over_and_counted(void **state)
{
	(void)state;
	assert_int_equal(
		read_text(&list_secrets, 200,
			  OK("\"result\":[{\"id\":\"1\",\"name\":\"a\",\"status\":\"deleted\"},"
			     "{\"id\":\"2\",\"name\":\"b\",\"status\":\"pending\"}]")),
		0);
	assert_string_equal(buffer_cstr(&got.text), "b id=2 status=pending;");
	assert_int_equal(got.result.entries, 2);
	assert_int_equal(read_text(&get_secret, 200,
				   OK("\"result\":{\"id\":\"" ID
				      "\",\"name\":\"NAME\",\"status\":\"deleted\"}")),
			 ENOENT);
	assert_int_equal(got.retry_hint, RETRY_NEVER);
}

static void test_the_total_is_what_result_info_says(void **state)
{
	static const struct {
		const char *body;
		int64_t total;
	} cases[] = {
		{OK("\"result\":[],\"result_info\":{\"count\":0,\"page\":1,\"per_page\":100,\"total_count\":345}"),
		 345},
		{OK("\"result\":[],\"result_info\":{\"total_count\":0,\"total_pages\":9}"), 0},
		{OK("\"result\":[],\"result_info\":{\"total_count\":null}"), -1},
		{OK("\"result\":[],\"result_info\":{\"total_count\":\"7\"}"), 7},
		{OK("\"result\":[],\"result_info\":{\"total_count\":\"7 \"}"), -1},
		{OK("\"result\":[],\"result_info\":{\"total_count\":\"\"}"), -1},
		{OK("\"result\":[],\"result_info\":{\"total_count\":-7}"), -1},
		{OK("\"result\":[],\"result_info\":null"), -1},
		{OK("\"result\":[],\"result_info\":[]"), -1},
		{OK("\"result\":[]"), -1},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_text(&list_secrets, 200, cases[i].body), 0);
		assert_int_equal(got.result.total, cases[i].total);
	}
}

static void test_deletions(void **state)
{
	static const char *const bodies[] = {OK("\"result\":null"), OK("\"result\":{}"),
					     OK("\"result\":" SECRET), "", "\n"};
	static const int statuses[] = {200, 202, 204};
	size_t i, j;

	(void)state;
	for (i = 0; i < COUNT(bodies); i++)
		for (j = 0; j < COUNT(statuses); j++) {
			assert_int_equal(read_text(&delete_secret, statuses[j], bodies[i]), 0);
			assert_int_equal(got.result.deleted_async, statuses[j] == 202);
			assert_int_equal(read_text(&delete_store, statuses[j], bodies[i]), 0);
		}
	assert_int_equal(read_text(&delete_secret, 200, "<html>"), EIO);
	assert_int_equal(got.retry_hint, RETRY_AFTER_CHECK);
}

static void test_the_quota(void **state)
{
	(void)state;
	assert_int_equal(
		read_text(&quota, 200, OK("\"result\":{\"secrets\":{\"quota\":100,\"usage\":7}}")),
		0);
	assert_int_equal(got.result.quota, 100);
	assert_int_equal(got.result.usage, 7);
	assert_int_equal(read_text(&quota, 200, OK("\"result\":{\"secrets\":{\"quota\":100}}")),
			 EIO);
	assert_int_equal(read_text(&quota, 200, OK("\"result\":{}")), EIO);
}

static void test_what_makes_no_sense_is_unreadable(void **state)
{
	static const char *const bodies[] = {
		"",
		"null",
		"[]",
		"{}",
		"\"yes\"",
		"<html>",
		"{\"success\":1,\"result\":[]}",
		"{\"success\":null,\"result\":[]}",
		"{\"result\":[]}",
		"{\"success\":true",
		OK("\"result\":7"),
		OK("\"result\":\"x\""),
	};
	static const struct op_args *const asks[] = {&list_secrets, &create, &patch, &get_secret,
						     &create_store};
	size_t i, j;

	(void)state;
	for (i = 0; i < COUNT(bodies); i++)
		for (j = 0; j < COUNT(asks); j++) {
			assert_int_equal(read_text(asks[j], 200, bodies[i]), EIO);
			assert_int_equal(got.retry_hint, RETRY_AFTER_CHECK);
			assert_string_equal(buffer_cstr(&got.text), "");
		}
	assert_int_equal(read_text(&list_secrets, 200,
				   OK("\"result\":null,\"result_info\":{\"total_count\":1}")),
			 EIO);
	assert_int_equal(
		read_text(&search, 200, OK("\"result\":null,\"result_info\":{\"total_count\":1}")),
		0);
	assert_int_equal(read_text(&get_secret, 200, OK("\"result\":null")), EIO);
	assert_int_equal(
		read_text(&get_secret, 200, OK("\"result\":{\"id\":\"1\",\"name\":\"OTHER\"}")),
		EIO);
	assert_int_equal(
		read_text(&create, 200, OK("\"result\":[{\"id\":\"1\",\"name\":\"OTHER\"}]")), EIO);
	assert_int_equal(read_text(&create_store, 200, OK("\"result\":{\"name\":\"NAME\"}")), EIO);
}

/* A refusal with one error, as the service sends it. */
static int refuse(const struct op_args *args, int status, int code, const char *message)
{
	char body[300];

	snprintf(
		body, sizeof(body),
		"{\"success\":false,\"errors\":[{\"code\":%d,\"message\":\"%s\"}],\"messages\":[],\"result\":null}",
		code, message);
	return read_text(args, status, body);
}

static void test_slugs_decide_whatever_the_status_and_the_code(void **state)
{
	static const struct {
		const struct op_args *ask;
		const char *message;
		int error;
		bool store_is_gone;
	} cases[] = {
		{&patch, "secret_not_found", ENOENT, false},
		{&delete_secret, "secret_not_found", ENOENT, false},
		{&patch, "store_not_found", ENOENT, true},
		{&create, "store_not_found", ENOENT, true},
		{&list_secrets, "store_not_found: 123", ENOENT, true},
		{&create, "secret_name_already_exists: NAME", EEXIST, false},
		{&duplicate, "secret_name_already_exists", EEXIST, false},
		{&create_store, "store_name_already_exists: NAME", EEXIST, false},
		{&create_store, "maximum_stores_exceeded", EDQUOT, false},
		{&create, "maximum_secrets_exceeded", EDQUOT, false},
		{&create, "secrets_quota_exceeded", EDQUOT, false},
		{&create, "quota_exceeded", EDQUOT, false},
		{&duplicate, "maximum number of secrets reached", EDQUOT, false},
		{&delete_store, "store_not_empty", ENOTEMPTY, false},
		{&create, "secret_value_too_long", EFBIG, false},
		{&list_stores, "Authentication error", EACCES, false},
		{&list_stores, "Authentication failed", EACCES, false},
		{&list_stores, "Could not route to /x, perhaps your object identifier is invalid?",
		 ENOENT, false},
	};
	static const int statuses[] = {200, 400, 403, 404, 409, 422};
	static const int codes[] = {1000, 1001, 1003, 10000};
	size_t i, j, k;

	(void)state;
	for (i = 0; i < COUNT(cases); i++)
		for (j = 0; j < COUNT(statuses); j++)
			for (k = 0; k < COUNT(codes); k++) {
				assert_int_equal(refuse(cases[i].ask, statuses[j], codes[k],
							cases[i].message),
						 cases[i].error);
				assert_int_equal(got.retry_hint, RETRY_NEVER);
				assert_int_equal(got.failure.store_is_deleted,
						 cases[i].store_is_gone);
				assert_string_equal(got.failure.request_id, "7d0c-FRA");
			}
}

static void test_what_has_no_slug_that_we_know(void **state)
{
	(void)state;
	assert_int_equal(refuse(&create, 400, 1001, "secret_scope_invalid"), EINVAL);
	assert_string_equal(got.failure.message, "secret_scope_invalid (1001)");
	assert_int_equal(refuse(&create, 400, 1001, "secret_not_found_at_all"), EINVAL);
	assert_int_equal(refuse(&create, 200, 1001, "something_else"), EINVAL);
	assert_int_equal(refuse(&create, 400, 1003, "a secret of this name already exists"),
			 EEXIST);
	assert_int_equal(refuse(&patch, 400, 1003, "it already exists"), EINVAL);
	assert_int_equal(refuse(&create, 409, 1003, "something_else"), EEXIST);
	assert_int_equal(refuse(&duplicate, 409, 1003, "something_else"), EEXIST);
	assert_int_equal(refuse(&create_store, 409, 1003, "something_else"), EEXIST);
	assert_int_equal(refuse(&delete_store, 409, 1003, "something_else"), ENOTEMPTY);
	assert_int_equal(refuse(&patch, 409, 1003, "something_else"), EINVAL);
	assert_int_equal(got.retry_hint, RETRY_NEVER);
	assert_int_equal(refuse(&create, 400, 1001, "maximum name length exceeded"), EINVAL);
	assert_int_equal(refuse(&patch, 404, 7003, "something_else"), ENOENT);
	assert_false(got.failure.store_is_deleted);
	assert_int_equal(refuse(&patch, 401, 1, "something_else"), EACCES);
	assert_int_equal(refuse(&patch, 403, 9109, "Unauthorized to access requested resource"),
			 EACCES);
}

static void test_what_is_asked_again(void **state)
{
	(void)state;
	assert_int_equal(refuse(&create, 429, 10100, "rate limited"), EAGAIN);
	assert_int_equal(got.retry_hint, RETRY_LATER);
	assert_int_equal(refuse(&create, 500, 1003, "secret_name_already_exists"), EIO);
	assert_int_equal(got.retry_hint, RETRY_AFTER_CHECK);
	assert_string_equal(got.failure.message, "secret_name_already_exists (1003)");
}

static void test_refusals_in_other_forms(void **state)
{
	static const struct {
		const char *body, *words;
	} cases[] = {
		{"{\"success\":false,\"errors\":[]}", "400 Bad Request, no explanation"},
		{"{\"success\":false}", "400 Bad Request, no explanation"},
		{"{\"success\":true,\"result\":[]}", "400 Bad Request, no explanation"},
		{"{\"errors\":[{\"message\":\"only words\"}]}", "only words"},
		{"{\"errors\":[{\"code\":7,\"message\":\"a\",\"error_chain\":[{\"code\":8,\"message\":\"b\"}]}]}",
		 "a (7)"},
		{"{\"errors\":[\"plain\"]}", "plain"},
		{"{\"code\":7,\"error\":\"another form\"}", "another form (7)"},
		{"{\"errors\":[7]}", "400 Bad Request, no explanation"},
		{"", "400 Bad Request, no explanation"},
		{"<html>", "400 Bad Request, no explanation"},
		{"[]", "400 Bad Request, no explanation"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_text(&patch, 400, cases[i].body), EINVAL);
		assert_string_equal(got.failure.message, cases[i].words);
	}
	assert_int_equal(read_text(&patch, 200, "{\"success\":false}"), EINVAL);
	assert_int_equal(read_answer(&provider_cloudflare, &patch, 403, "cf-mitigated: challenge\n",
				     "<html>"),
			 EACCES);
	assert_string_equal(got.failure.message,
			    "the service's firewall stopped the request (challenge)");
	assert_int_equal(read_answer(&provider_cloudflare, &patch, 403,
				     "Content-Type: text/plain\n", "blocked\n"),
			 EACCES);
	assert_string_equal(got.failure.message, "blocked");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_what_is_granted, forget_answer),
		cmocka_unit_test_teardown(test_a_change_needs_no_body_in_the_response,
					  forget_answer),
		cmocka_unit_test_teardown(test_numbers_may_have_a_point, forget_answer),
		cmocka_unit_test_teardown(test_rows_that_are_deleted_are_passed_over_and_counted,
					  forget_answer),
		cmocka_unit_test_teardown(test_the_total_is_what_result_info_says, forget_answer),
		cmocka_unit_test_teardown(test_deletions, forget_answer),
		cmocka_unit_test_teardown(test_the_quota, forget_answer),
		cmocka_unit_test_teardown(test_what_makes_no_sense_is_unreadable, forget_answer),
		cmocka_unit_test_teardown(test_slugs_decide_whatever_the_status_and_the_code,
					  forget_answer),
		cmocka_unit_test_teardown(test_what_has_no_slug_that_we_know, forget_answer),
		cmocka_unit_test_teardown(test_what_is_asked_again, forget_answer),
		cmocka_unit_test_teardown(test_refusals_in_other_forms, forget_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
