#pragma once

#include <string.h>

#include "check.h"
#include "sstorefs/http.h"

/* An answer as the network hands it over. `headers` are lines, each with `\n` at its end. */
static inline struct http_response make_answer(int status, const char *headers, const void *body,
					       size_t length)
{
	struct http_response response = {.status = status};
	size_t i;

	buffer_puts(&response.headers, headers);
	for (i = 0; i < response.headers.length; i++)
		if (response.headers.data[i] == '\n')
			response.headers.data[i] = '\0';
	buffer_append(&response.body, body, length);
	assert_int_equal(buffer_error(&response.headers), 0);
	assert_int_equal(buffer_error(&response.body), 0);
	return response;
}

static inline struct http_response text_answer(int status, const char *headers, const char *body)
{
	return make_answer(status, headers, body, strlen(body));
}
