/* The table that maps an HTTP status to an errno and a retry hint. */
#include <errno.h>

#include "check.h"
#include "provider/provider_internal.h"
#include "responses.h"

static void test_every_status_means_something(void **state)
{
	static const struct {
		int status, error;
		enum retry_hint retry_hint;
	} cases[] = {
		{200, 0, RETRY_NEVER},	       {201, 0, RETRY_NEVER},
		{202, 0, RETRY_NEVER},	       {204, 0, RETRY_NEVER},
		{205, 0, RETRY_NEVER},	       {206, 0, RETRY_NEVER},
		{207, 0, RETRY_NEVER},	       {203, EIO, RETRY_AFTER_CHECK},
		{226, EIO, RETRY_AFTER_CHECK}, {100, EIO, RETRY_AFTER_CHECK},
		{0, EIO, RETRY_AFTER_CHECK},   {301, EIO, RETRY_NEVER},
		{302, EIO, RETRY_NEVER},       {304, EIO, RETRY_NEVER},
		{308, EIO, RETRY_NEVER},       {400, EINVAL, RETRY_NEVER},
		{401, EACCES, RETRY_NEVER},    {402, EINVAL, RETRY_NEVER},
		{403, EACCES, RETRY_NEVER},    {404, ENOENT, RETRY_NEVER},
		{405, EINVAL, RETRY_NEVER},    {408, EAGAIN, RETRY_LATER},
		{409, EEXIST, RETRY_NEVER},    {410, ENOENT, RETRY_NEVER},
		{413, EFBIG, RETRY_NEVER},     {418, EINVAL, RETRY_NEVER},
		{422, EINVAL, RETRY_NEVER},    {425, EAGAIN, RETRY_LATER},
		{429, EAGAIN, RETRY_LATER},    {499, EINVAL, RETRY_NEVER},
		{500, EIO, RETRY_AFTER_CHECK}, {502, EIO, RETRY_AFTER_CHECK},
		{503, EIO, RETRY_AFTER_CHECK}, {504, EIO, RETRY_AFTER_CHECK},
		{520, EIO, RETRY_AFTER_CHECK}, {999, EIO, RETRY_AFTER_CHECK},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		const struct http_status_info *info = http_status_info(cases[i].status);

		assert_non_null(info->phrase);
		if (info->errnum != cases[i].error || info->retry_hint != cases[i].retry_hint)
			fail_msg("%d means errno %d, retry hint %d", cases[i].status, info->errnum,
				 info->retry_hint);
	}
}

static void test_a_status_alone_has_a_message(void **state)
{
	struct http_response gateway = text_answer(502, "", ""),
			     moved = text_answer(301, "Location: https://x/\n", "");
	struct failure failure = {0};
	enum retry_hint retry_hint;
	struct response_parser parser = {
		.response = &gateway, .failure = &failure, .retry_hint = &retry_hint};

	(void)state;
	assert_int_equal(response_map_status(&parser), -EIO);
	assert_string_equal(failure.message, "502 Bad Gateway, no explanation");
	parser.response = &moved;
	assert_int_equal(response_map_status(&parser), -EIO);
	assert_string_equal(failure.message,
			    "301 Moved Permanently to https://x/, which is not followed");
	assert_int_equal(retry_hint, RETRY_NEVER);
	http_response_free(&gateway);
	http_response_free(&moved);
}

static void test_the_request_id_is_kept_and_the_rest_forgotten(void **state)
{
	static const struct {
		const char *headers, *request_id;
	} cases[] = {
		{"X-Request-Id: other\nFastly-Trace-Id: BcgnEl4Q9K8MtATbK58Cmm\n",
		 "BcgnEl4Q9K8MtATbK58Cmm"},
		{"X-Request-Id: other\n", "other"},
		{"", ""},
		{"Fastly-Trace-Id: a\x1b[31mb\n", "a\\u001b[31mb"},
	};
	char long_header[400] = "Fastly-Trace-Id: ";
	struct failure failure;
	enum retry_hint retry_hint;
	struct http_response response;
	struct response_parser parser = {.provider = &provider_fastly,
					 .response = &response,
					 .failure = &failure,
					 .retry_hint = &retry_hint};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		response = text_answer(404, cases[i].headers, "");
		failure = (struct failure){.errnum = EIO, .message = "old", .request_id = "old"};
		response_reset(&parser);
		assert_string_equal(failure.request_id, cases[i].request_id);
		assert_int_equal(failure.http_status, 404);
		assert_int_equal(failure.errnum, 0);
		assert_string_equal(failure.message, "");
		http_response_free(&response);
	}
	memset(long_header + 17, 'x', 300);
	response = text_answer(404, long_header, "");
	response_reset(&parser);
	assert_int_equal(strlen(failure.request_id), sizeof(failure.request_id) - 1);
	http_response_free(&response);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_status_means_something),
		cmocka_unit_test(test_a_status_alone_has_a_message),
		cmocka_unit_test(test_the_request_id_is_kept_and_the_rest_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
