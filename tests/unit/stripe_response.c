/* Stripe's answers: what is granted, what makes no sense, and what refusals mean (doc/apis.md,
 * Stripe 2 to 5, and 6). */
#include "check.h"
#include "parsed.h"

#define ID "appsecret_5110hHS1707T6fjBnah1LkdIwA"
#define SECRET(more)                                                                               \
	"{\"id\":\"" ID                                                                            \
	"\",\"object\":\"apps.secret\",\"created\":1700000000,\"expires_at\":null,"                \
	"\"livemode\":false,\"name\":\"NAME\",\"scope\":{\"type\":\"account\"}" more "}"
#define SHOWN	   "NAME id=" ID " created=2023-11-14T22:13:20Z live=no;"
#define LIST(more) "{\"object\":\"list\",\"url\":\"/v1/apps/secrets\"," more "}"

static const struct op_args list = {.operation = OPERATION_LIST_SECRETS, .store_id = "account"};
static const struct op_args find = {
	.operation = OPERATION_FIND_SECRET, .store_id = "account", .name = "NAME"};
static const struct op_args put = {.operation = OPERATION_PUT_SECRET,
				   .mode = PUT_UPSERT,
				   .store_id = "account",
				   .name = "NAME"};
static const struct op_args delete_secret = {
	.operation = OPERATION_DELETE_SECRET, .store_id = "account", .name = "NAME"};

static int read_text(const struct op_args *args, int status, const char *body)
{
	return read_answer(&provider_stripe, args, status, "Request-Id: req_1\n", body);
}

static void test_what_is_granted(void **state)
{
	static const struct {
		const struct op_args *ask;
		const char *body, *text, *cursor;
	} cases[] = {
		{&find, SECRET(""), SHOWN, ""},
		{&put, SECRET(",\"payload\":null"), SHOWN, ""},
		{&put, "{\"name\":\"NAME\"}", "NAME;", ""},
		{&find,
		 "{\"name\":\"NAME\",\"created\":1,\"expires_at\":4000000000,\"livemode\":true,\"unknown\":{}}",
		 "NAME created=1970-01-01T00:00:01Z expires=2096-10-02T07:06:40Z live=yes;", ""},
		/* Beyond what nanoseconds can count, the last moment that they can. */
		{&find, "{\"name\":\"NAME\",\"expires_at\":99999999999}",
		 "NAME expires=2262-04-11T23:47:16Z;", ""},
		{&find,
		 "{\"name\":\"NAME\",\"created\":\"x\",\"expires_at\":-1,\"livemode\":7,\"id\":7}",
		 "NAME;", ""},
		/* JSON's numbers may have a point, and be larger than any moment. */
		{&find, "{\"name\":\"NAME\",\"created\":1.75,\"expires_at\":4e9}",
		 "NAME created=1970-01-01T00:00:01Z expires=2096-10-02T07:06:40Z;", ""},
		{&put, "{\"name\":\"NAME\",\"created\":99999999999999999999999}", "NAME;", ""},
		{&find, "{\"name\":\"NAME\",\"expires_at\":0}", "NAME;", ""},
		{&list, LIST("\"has_more\":null,\"data\":[" SECRET("") "]"), SHOWN, ""},
		{&list, LIST("\"has_more\":false,\"data\":[]"), "", ""},
		{&list, LIST("\"has_more\":false,\"data\":[" SECRET("") "]"), SHOWN, ""},
		{&list, LIST("\"data\":[{\"name\":\"a/b\",\"id\":\"1\"}]"), "a%2Fb id=1;", ""},
		{&list,
		 LIST("\"has_more\":true,\"data\":[" SECRET(
			 "") ",{\"name\":\"b\",\"id\":\"appsecret_2\"}]"),
		 SHOWN "b id=appsecret_2;", "appsecret_2"},
		/* The next page begins behind the last entry, be it shown or not. */
		{&list, LIST("\"has_more\":true,\"data\":[{\"name\":7,\"id\":\"appsecret_3\"}]"),
		 "", "appsecret_3"},
		/* The schema lets any secret say that it is deleted. */
		{&list,
		 LIST("\"has_more\":true,\"data\":[" SECRET(
			 "") ",{\"name\":\"b\",\"id\":\"appsecret_2\",\"deleted\":true}]"),
		 SHOWN, "appsecret_2"},
		{&list, LIST("\"has_more\":false,\"data\":[" SECRET(",\"deleted\":false") "]"),
		 SHOWN, ""},
		/* Numbers as texts. */
		{&find, "{\"name\":\"NAME\",\"created\":\"1\",\"expires_at\":\"4000000000\"}",
		 "NAME created=1970-01-01T00:00:01Z expires=2096-10-02T07:06:40Z;", ""},
		{&delete_secret, SECRET(",\"deleted\":true"), "", ""},
		{&delete_secret, "{\"id\":\"" ID "\",\"object\":\"apps.secret\",\"deleted\":true}",
		 "", ""},
		{&delete_secret, "{}", "", ""},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_text(cases[i].ask, 200, cases[i].body), 0);
		assert_string_equal(buffer_cstr(&got.text), cases[i].text);
		assert_string_equal(buffer_cstr(&got.result.cursor), cases[i].cursor);
		assert_string_equal(got.failure.request_id, "req_1");
	}
}

static void test_what_makes_no_sense_is_unreadable(void **state)
{
	static const struct {
		const struct op_args *ask;
		const char *body;
	} cases[] = {
		{&list, ""},
		{&list, "[]"},
		{&list, "{}"},
		{&list, LIST("\"data\":{}")},
		{&list, LIST("\"data\":null")},
		{&list, LIST("\"has_more\":true,\"data\":[]")},
		{&list, LIST("\"has_more\":true,\"data\":[{\"name\":\"a\"}]")},
		{&list, LIST("\"has_more\":true,\"data\":[{\"name\":\"a\",\"id\":\"\"}]")},
		{&find, "{}"},
		{&find, "{\"name\":\"OTHER\"}"},
		{&put, "null"},
		{&put, "{\"name\":\"OTHER\"}"},
		{&put, "<html>"},
		{&list, LIST("\"has_more\":\"true\",\"data\":[{\"name\":\"a\",\"id\":\"1\"}]")},
		{&delete_secret, ""},
		{&delete_secret, "[]"},
		{&delete_secret, "{\"deleted\":false}"},
		{&put, SECRET(",\"deleted\":true")},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_text(cases[i].ask, 200, cases[i].body), EIO);
		assert_int_equal(got.retry_hint, RETRY_AFTER_CHECK);
	}
}

static void test_a_change_needs_no_body_in_the_response(void **state)
{
	(void)state;
	assert_int_equal(read_text(&put, 204, ""), 0);
	assert_int_equal(read_text(&delete_secret, 204, ""), 0);
	assert_int_equal(read_text(&find, 204, ""), EIO);
	assert_int_equal(read_text(&put, 204, "<html>"), EIO);
}

static void test_names_that_can_not_be_shown_are_counted(void **state)
{
	char body[1000], name[301];

	(void)state;
	memset(name, 'x', 300);
	name[300] = '\0';
	snprintf(
		body, sizeof(body),
		LIST("\"has_more\":false,\"data\":[7,{},{\"name\":\"\"},{\"name\":\"%s\"},{\"name\":\"nul\\u0000\"}]"),
		name);
	assert_int_equal(read_text(&list, 200, body), 0);
	assert_string_equal(buffer_cstr(&got.text), "nul%00;");
	assert_int_equal(got.result.names_too_long, 1);
	assert_int_equal(got.result.malformed, 3);
}

#define ERROR(members) "{\"error\":{\"type\":\"invalid_request_error\"" members "}}"
#define FULL	       "\"message\":\"You have reached the maximum of 10 secrets for this scope.\""
#define LONG	       "\"message\":\"Invalid string: must be at most 5000 characters\""

static void test_refusals(void **state)
{
	static const struct {
		const struct op_args *ask;
		int status;
		const char *body;
		int error;
		enum retry_hint retry_hint;
	} cases[] = {
		{&find, 404,
		 ERROR(",\"code\":\"resource_missing\",\"param\":\"name\",\"message\":\"No such secret: 'NAME'\""),
		 ENOENT, RETRY_NEVER},
		{&find, 404, ERROR(",\"message\":\"No such secret: 'NAME'\""), ENOENT, RETRY_NEVER},
		{&find, 400, ERROR(",\"code\":\"resource_missing\",\"param\":\"name\""), ENOENT,
		 RETRY_NEVER},
		{&find, 200, SECRET(",\"deleted\":true"), ENOENT, RETRY_NEVER},
		{&delete_secret, 404, "", ENOENT, RETRY_NEVER},
		{&delete_secret, 400, ERROR(",\"message\":\"No such secret: 'NAME'\""), ENOENT,
		 RETRY_NEVER},
		{&list, 400,
		 ERROR(",\"param\":\"starting_after\",\"message\":\"No such secret: 'x'\""), EINVAL,
		 RETRY_NEVER},
		{&list, 401, ERROR(",\"message\":\"Invalid API Key provided: sk_1\""), EACCES,
		 RETRY_NEVER},
		{&put, 403, ERROR(",\"message\":\"no secret_write\""), EACCES, RETRY_NEVER},
		{&put, 400, ERROR(",\"code\":\"parameter_missing\",\"param\":\"scope\""), EINVAL,
		 RETRY_NEVER},
		{&put, 400, ERROR("," FULL), EDQUOT, RETRY_NEVER},
		{&put, 403, ERROR("," FULL), EDQUOT, RETRY_NEVER},
		{&put, 400, ERROR(",\"code\":\"resource_limit_exceeded\",\"message\":\"no\""),
		 EDQUOT, RETRY_NEVER},
		{&put, 400, ERROR(",\"code\":\"secret_limit_reached\""), EDQUOT, RETRY_NEVER},
		{&put, 400, ERROR(",\"param\":\"scope[type]\"," FULL), EDQUOT, RETRY_NEVER},
		{&put, 400, ERROR(",\"message\":\"something else\""), EINVAL, RETRY_NEVER},
		{&list, 400, ERROR("," FULL), EINVAL, RETRY_NEVER},
		{&put, 500, ERROR("," FULL), EIO, RETRY_AFTER_CHECK},
		{&put, 400, ERROR(",\"param\":\"payload\"," LONG), EFBIG, RETRY_NEVER},
		{&put, 400, ERROR(",\"param\":\"name\"," LONG), EINVAL, RETRY_NEVER},
		{&put, 400,
		 ERROR(",\"param\":\"payload\",\"message\":\"Invalid string: it holds a null byte\""),
		 EINVAL, RETRY_NEVER},
		{&put, 409,
		 "{\"error\":{\"type\":\"idempotency_error\",\"code\":\"idempotency_key_in_use\"}}",
		 EAGAIN, RETRY_LATER},
		{&put, 409, ERROR(""), EAGAIN, RETRY_LATER},
		{&put, 429, ERROR(",\"code\":\"lock_timeout\""), EAGAIN, RETRY_LATER},
		{&put, 400, ERROR(",\"code\":\"rate_limit\""), EAGAIN, RETRY_LATER},
		{&put, 400, "{\"error\":{\"type\":\"idempotency_error\"}}", EINVAL, RETRY_NEVER},
		{&put, 402, ERROR(""), EINVAL, RETRY_NEVER},
		{&put, 503, "", EIO, RETRY_AFTER_CHECK},
		{&put, 502, "<html>", EIO, RETRY_AFTER_CHECK},
		{&list, 400, "{\"error\":7}", EINVAL, RETRY_NEVER},
		{&list, 400, "[]", EINVAL, RETRY_NEVER},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_text(cases[i].ask, cases[i].status, cases[i].body),
				 cases[i].error);
		assert_int_equal(got.retry_hint, cases[i].retry_hint);
		assert_string_not_equal(got.failure.message, "");
		assert_false(got.failure.store_is_deleted);
	}
	assert_int_equal(read_text(&put, 400, ERROR(",\"code\":\"c\",\"message\":\"m\"")), EINVAL);
	assert_string_equal(got.failure.message, "m (c)");
	assert_int_equal(
		read_text(&put, 404,
			  ERROR(",\"code\":\"resource_missing\",\"param\":\"scope[user]\"")),
		ENOENT);
	assert_true(got.failure.store_is_deleted);
}

static void test_the_service_says_whether_to_ask_again(void **state)
{
	struct rate_limit limit;
	struct http_response response;

	(void)state;
	assert_int_equal(
		read_answer(&provider_stripe, &put, 400, "Stripe-Should-Retry: true\n", ERROR("")),
		EAGAIN);
	assert_int_equal(got.retry_hint, RETRY_LATER);
	assert_int_equal(
		read_answer(&provider_stripe, &put, 500, "Stripe-Should-Retry: true\n", ERROR("")),
		EIO);
	assert_int_equal(got.retry_hint, RETRY_AFTER_CHECK);
	assert_int_equal(
		read_answer(&provider_stripe, &put, 500, "Stripe-Should-Retry: false\n", ERROR("")),
		EIO);
	assert_int_equal(got.retry_hint, RETRY_AFTER_CHECK);
	response = text_answer(500, "Stripe-Should-Retry: False\nRetry-After: 3\n", "");
	provider_stripe.read_rate_limit(&response, &limit);
	assert_true(limit.do_not_retry);
	assert_int_equal(limit.wait_ms, 3000);
	assert_int_equal(limit.remaining, -1);
	http_response_free(&response);
	response = text_answer(500, "Stripe-Should-Retry: true\n", "");
	provider_stripe.read_rate_limit(&response, &limit);
	assert_false(limit.do_not_retry);
	http_response_free(&response);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_what_is_granted, forget_answer),
		cmocka_unit_test_teardown(test_what_makes_no_sense_is_unreadable, forget_answer),
		cmocka_unit_test_teardown(test_a_change_needs_no_body_in_the_response,
					  forget_answer),
		cmocka_unit_test_teardown(test_names_that_can_not_be_shown_are_counted,
					  forget_answer),
		cmocka_unit_test_teardown(test_refusals, forget_answer),
		cmocka_unit_test_teardown(test_the_service_says_whether_to_ask_again,
					  forget_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
