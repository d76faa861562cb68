/* HTTP requests and responses as plain data, and their header lines. */
#include "sstorefs/http.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

const char *http_method_name(enum http_method method)
{
	static const char *const names[] = {
		[HTTP_GET] = "GET",	[HTTP_POST] = "POST",	  [HTTP_PUT] = "PUT",
		[HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
	};

	return names[method];
}

void http_request_free(struct http_request *request)
{
	struct locked_pool *pool = request->body.pool;

	buffer_finish(&request->target);
	buffer_finish(&request->headers);
	locked_free(&request->body);
	memset(request, 0, sizeof(*request));
	request->body.pool = pool;
}

/* Control bytes are left out: one line must not become two. */
static void append_visible(struct buffer *buffer, const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x20 && *text != 0x7f)
			buffer_append(buffer, text, 1);
}

void http_request_header(struct http_request *request, const char *name, const char *value)
{
	append_visible(&request->headers, name);
	buffer_puts(&request->headers, ": ");
	append_visible(&request->headers, value);
	buffer_append(&request->headers, "", 1);
}

void http_response_free(struct http_response *response)
{
	/* A service may quote the value that it refused. */
	if (response->body.data)
		sodium_memzero(response->body.data, response->body.size);
	buffer_finish(&response->headers);
	buffer_finish(&response->body);
	memset(response, 0, sizeof(*response));
}

const char *http_response_header(const struct http_response *response, const char *name)
{
	return http_response_header_next(response, name, NULL);
}

const char *http_response_header_next(const struct http_response *response, const char *name,
				      const char *previous)
{
	const char *line = buffer_cstr(&response->headers), *end = line + response->headers.length;
	size_t length = strlen(name);

	if (previous)
		line = previous + strlen(previous) + 1;
	for (; line < end; line += strlen(line) + 1)
		if (strncasecmp(line, name, length) == 0 && line[length] == ':')
			return line + length + 1 + strspn(line + length + 1, " \t");
	return NULL;
}
