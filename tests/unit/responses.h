#ifndef SSTOREFS_TESTS_UNIT_RESPONSES_H
#define SSTOREFS_TESTS_UNIT_RESPONSES_H

#include <string.h>

#include "check.h"
#include "sstorefs/http.h"

/* An answer as the network hands it over. `headers` are lines, each with `\n` at its end. */
static inline struct http_answer make_answer(int status, const char *headers, const void *body, size_t length)
{
	struct http_answer answer = {.status = status};
	size_t i;

	buffer_string(&answer.headers, headers);
	for (i = 0; i < answer.headers.length; i++)
		if (answer.headers.data[i] == '\n')
			answer.headers.data[i] = '\0';
	buffer_append(&answer.body, body, length);
	assert_int_equal(buffer_result(&answer.headers), 0);
	assert_int_equal(buffer_result(&answer.body), 0);
	return answer;
}

static inline struct http_answer text_answer(int status, const char *headers, const char *body)
{
	return make_answer(status, headers, body, strlen(body));
}

#endif
