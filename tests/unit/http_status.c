/* The one table that turns an HTTP status into errno and remedy. */
#include <errno.h>

#include "check.h"
#include "provider/provider_internal.h"
#include "responses.h"

static void test_every_status_means_something(void **state)
{
	static const struct {
		int status, error;
		enum remedy remedy;
	} cases[] = {
		{200, 0, REMEDY_NONE},	     {201, 0, REMEDY_NONE},	  {202, 0, REMEDY_NONE},
		{204, 0, REMEDY_NONE},	     {205, 0, REMEDY_NONE},	  {206, 0, REMEDY_NONE},
		{207, 0, REMEDY_NONE},	     {203, EIO, REMEDY_LOOK},	  {226, EIO, REMEDY_LOOK},
		{100, EIO, REMEDY_LOOK},     {0, EIO, REMEDY_LOOK},	  {301, EIO, REMEDY_NONE},
		{302, EIO, REMEDY_NONE},     {304, EIO, REMEDY_NONE},	  {308, EIO, REMEDY_NONE},
		{400, EINVAL, REMEDY_NONE},  {401, EACCES, REMEDY_NONE},  {402, EINVAL, REMEDY_NONE},
		{403, EACCES, REMEDY_NONE},  {404, ENOENT, REMEDY_NONE},  {405, EINVAL, REMEDY_NONE},
		{408, EAGAIN, REMEDY_LATER}, {409, EEXIST, REMEDY_NONE},  {410, ENOENT, REMEDY_NONE},
		{413, EFBIG, REMEDY_NONE},   {418, EINVAL, REMEDY_NONE},  {422, EINVAL, REMEDY_NONE},
		{425, EAGAIN, REMEDY_LATER}, {429, EAGAIN, REMEDY_LATER}, {499, EINVAL, REMEDY_NONE},
		{500, EIO, REMEDY_LOOK},     {502, EIO, REMEDY_LOOK},	  {503, EIO, REMEDY_LOOK},
		{504, EIO, REMEDY_LOOK},     {520, EIO, REMEDY_LOOK},	  {999, EIO, REMEDY_LOOK},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		const struct status_meaning *meaning = status_meaning(cases[i].status);

		assert_non_null(meaning->phrase);
		if (meaning->error != cases[i].error || meaning->remedy != cases[i].remedy)
			fail_msg("%d means errno %d, remedy %d", cases[i].status, meaning->error,
				 meaning->remedy);
	}
}

static void test_a_status_alone_has_words(void **state)
{
	struct http_answer gateway = text_answer(502, "", ""),
			   moved = text_answer(301, "Location: https://x/\n", "");
	struct failure failure = {0};
	enum remedy remedy;

	(void)state;
	assert_int_equal(answer_status(&gateway, &failure, &remedy), -EIO);
	assert_string_equal(failure.words, "502 Bad Gateway, no explanation");
	assert_int_equal(answer_status(&moved, &failure, &remedy), -EIO);
	assert_string_equal(failure.words, "301 Moved Permanently to https://x/, which is not followed");
	assert_int_equal(remedy, REMEDY_NONE);
	http_answer_finish(&gateway);
	http_answer_finish(&moved);
}

static void test_the_request_id_is_kept_and_the_rest_forgotten(void **state)
{
	static const struct {
		const char *headers, *request_id;
	} cases[] = {
		{"X-Request-Id: other\nFastly-Trace-Id: BcgnEl4Q9K8MtATbK58Cmm\n", "BcgnEl4Q9K8MtATbK58Cmm"},
		{"X-Request-Id: other\n", "other"},
		{"", ""},
		{"Fastly-Trace-Id: a\x1b[31mb\n", "a\\u001b[31mb"},
	};
	char long_header[400] = "Fastly-Trace-Id: ";
	struct failure failure;
	enum remedy remedy;
	struct http_answer answer;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		answer = text_answer(404, cases[i].headers, "");
		failure = (struct failure){.error = EIO, .words = "old", .request_id = "old"};
		answer_begin(&answer, &provider_fastly, &failure, &remedy);
		assert_string_equal(failure.request_id, cases[i].request_id);
		assert_int_equal(failure.status, 404);
		assert_int_equal(failure.error, 0);
		assert_string_equal(failure.words, "");
		http_answer_finish(&answer);
	}
	memset(long_header + 17, 'x', 300);
	answer = text_answer(404, long_header, "");
	answer_begin(&answer, &provider_fastly, &failure, &remedy);
	assert_int_equal(strlen(failure.request_id), sizeof(failure.request_id) - 1);
	http_answer_finish(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_status_means_something),
		cmocka_unit_test(test_a_status_alone_has_words),
		cmocka_unit_test(test_the_request_id_is_kept_and_the_rest_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
