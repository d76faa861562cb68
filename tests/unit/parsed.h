#pragma once

#include <errno.h>
#include <stdio.h>

#include "responses.h"
#include "sstorefs/provider.h"

/* What came of one answer; its entries as one text, `NAME id=… created=…` with what there is, and
 * `;` behind each. */
static struct {
	struct buffer text;
	struct op_result result;
	struct failure failure;
	enum retry_hint retry_hint;
} got;

static inline void add_text(const char *name, const char *text)
{
	if (text)
		buffer_printf(&got.text, " %s=%s", name, text);
}

static inline void add_time(const char *name, wall_time_ns time)
{
	char text[TIME_TEXT_SIZE];

	if (time != TIME_UNKNOWN)
		add_text(name, time_format(time, text));
}

static inline int take(void *context, const struct entry *entry)
{
	(void)context;
	buffer_puts(&got.text, entry->name);
	add_text("id", entry->id);
	add_text("digest", entry->digest);
	add_time("created", entry->created_at);
	if (entry->modified_at != entry->created_at)
		add_time("modified", entry->modified_at);
	add_time("expires", entry->expires_at);
	add_text("status", entry->status);
	add_text("scopes", entry->scopes);
	add_text("comment", entry->comment);
	if (entry->livemode >= 0)
		add_text("live", entry->livemode ? "yes" : "no");
	buffer_puts(&got.text, ";");
	return 0;
}

/* Reads one answer into `got`. Returns a positive errno. */
static inline int read_answer(const struct provider *provider, const struct op_args *args,
			      int status, const char *headers, const char *body)
{
	struct http_response response = text_answer(status, headers, body);
	int failed;

	op_result_free(&got.result);
	buffer_clear(&got.text);
	got.failure = (struct failure){0};
	got.retry_hint = RETRY_NEVER;
	got.result.on_entry = take;
	failed = provider->parse_response(provider, args, &response, &got.result, &got.failure,
					  &got.retry_hint);
	assert_int_equal(got.failure.errnum, -failed);
	assert_int_equal(got.failure.http_status, status);
	http_response_free(&response);
	return -failed;
}

static inline int forget_answer(void **state)
{
	(void)state;
	op_result_free(&got.result);
	buffer_finish(&got.text);
	return 0;
}

/* A request as one text: method, target, header lines behind the first, Content-Type and body. */
static inline void request_text(const struct http_request *request, struct buffer *text)
{
	const char *line = buffer_cstr(&request->headers), *end = line + request->headers.length;

	buffer_clear(text);
	buffer_printf(text, "%s %s", http_method_name(request->method),
		      buffer_cstr(&request->target));
	for (; line < end; line += strlen(line) + 1)
		if (strcmp(line, "Accept: application/json") != 0)
			buffer_printf(text, "\n%s", line);
	if (request->content_type)
		buffer_printf(text, "\n%s\n", request->content_type);
	buffer_append(text, request->body.data, request->body.length);
}

/* Asserts that the provider makes a request of this text. */
static inline void assert_request(const struct provider *provider, const struct op_args *args,
				  const char *expected, bool bears_value)
{
	struct http_request request = {0};
	struct buffer text = {0};

	assert_int_equal(provider->build_request(provider, args, &request), 0);
	request_text(&request, &text);
	assert_string_equal(buffer_cstr(&text), expected);
	assert_int_equal(request.bears_value, bears_value);
	http_request_free(&request);
	buffer_finish(&text);
}

/* Asserts that the provider refuses to make a request. */
static inline void assert_no_request(const struct provider *provider, const struct op_args *args)
{
	struct http_request request = {0};

	assert_int_equal(provider->build_request(provider, args, &request), -EINVAL);
	assert_int_equal(request.body.length, 0);
	http_request_free(&request);
}
