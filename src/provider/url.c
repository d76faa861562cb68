/* Builds paths and queries of requests, percent-encoded (RFC 3986). */
#include <errno.h>
#include <string.h>

#include "provider_internal.h"

static bool is_dots(const char *raw, size_t length)
{
	return (length == 1 || length == 2) && memcmp(raw, "..", length) == 0;
}

void url_append_segment(struct http_request *request, const char *raw, size_t length)
{
	buffer_append(&request->target, "/", 1);
	if (is_dots(raw, length))
		buffer_append(&request->target, "%2E%2E", length * 3);
	else
		buffer_percent_encode(&request->target, raw, length);
}

void url_append_param(struct http_request *request, const char *name, const char *raw,
		      size_t length)
{
	buffer_puts(&request->target, strchr(buffer_cstr(&request->target), '?') ? "&" : "?");
	buffer_puts(&request->target, name);
	buffer_append(&request->target, "=", 1);
	buffer_percent_encode(&request->target, raw, length);
}

int request_check(const struct http_request *request)
{
	return request->target.failed || request->headers.failed ? -ENOMEM : 0;
}
