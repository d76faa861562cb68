/* Requests and answers as data, and the providers that there are. */
#include "sstorefs/http.h"

#include <string.h>

#include "check.h"
#include "responses.h"
#include "sstorefs/provider.h"

static void test_header_lines_are_found_by_name(void **state)
{
	struct http_response response =
		text_answer(200,
			    "Content-Type: text/plain\nX-Date: no\nDate:  \tMonday\nEmpty:\n"
			    "date: second\nno colon here\nLast: one\n",
			    "");

	(void)state;
	assert_string_equal(http_response_header(&response, "Date"), "Monday");
	assert_string_equal(http_response_header(&response, "DATE"), "Monday");
	assert_string_equal(http_response_header(&response, "content-type"), "text/plain");
	assert_string_equal(http_response_header(&response, "Empty"), "");
	assert_string_equal(http_response_header(&response, "Last"), "one");
	assert_null(http_response_header(&response, "Dat"));
	assert_null(http_response_header(&response, "no"));
	assert_string_equal(http_response_header_next(&response, "DATE",
						      http_response_header(&response, "DATE")),
			    "second");
	assert_null(http_response_header_next(&response, "Last",
					      http_response_header(&response, "Last")));
	http_response_free(&response);
	assert_null(http_response_header(&response, "Date"));
}

static void test_a_header_line_stays_one_line(void **state)
{
	struct http_request request = {0};

	(void)state;
	http_request_header(&request, "Accept", "application/json");
	http_request_header(&request, "X-Evil", "a\r\nFastly-Key: b");
	assert_int_equal(request.headers.length, 48);
	assert_memory_equal(request.headers.data,
			    "Accept: application/json\0X-Evil: aFastly-Key: b\0", 48);
	http_request_free(&request);
	assert_null(request.headers.data);
}

static void test_methods_and_operations_have_names(void **state)
{
	int operation;

	(void)state;
	assert_string_equal(http_method_name(HTTP_GET), "GET");
	assert_string_equal(http_method_name(HTTP_POST), "POST");
	assert_string_equal(http_method_name(HTTP_PUT), "PUT");
	assert_string_equal(http_method_name(HTTP_PATCH), "PATCH");
	assert_string_equal(http_method_name(HTTP_DELETE), "DELETE");
	for (operation = 0; operation < OPERATION_COUNT; operation++)
		assert_non_null(api_operations[operation].name);
	assert_string_equal(api_operations[OPERATION_LIST_STORES].name, "list_stores");
	assert_string_equal(api_operations[OPERATION_SIGNING_KEY].name, "signing_key");
}

static void test_providers_are_found_by_their_whole_name(void **state)
{
	(void)state;
	assert_ptr_equal(provider_find("fastly:STORE", 6), &provider_fastly);
	assert_null(provider_find("fastly", 5));
	assert_null(provider_find("fastly:", 7));
	assert_null(provider_find("Fastly", 6));
	assert_null(provider_find("", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_lines_are_found_by_name),
		cmocka_unit_test(test_a_header_line_stays_one_line),
		cmocka_unit_test(test_methods_and_operations_have_names),
		cmocka_unit_test(test_providers_are_found_by_their_whole_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
