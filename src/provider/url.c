/* Builds paths and queries of requests, percent-encoded (RFC 3986). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "provider_internal.h"
#include "sstorefs/name.h"

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

void url_append_text(struct http_request *request, const char *name, const char *text)
{
	url_append_param(request, name, text, strlen(text));
}

void url_append_number(struct http_request *request, const char *name, unsigned number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	url_append_text(request, name, text);
}

int url_append_name_param(struct http_request *request, const char *name, const char *displayed)
{
	struct buffer raw = {0};
	int failed = name_decode(&raw, displayed);

	if (!failed)
		url_append_param(request, name, buffer_cstr(&raw), raw.length);
	buffer_finish(&raw);
	return failed;
}

int url_append_name(struct http_request *request, const char *displayed)
{
	struct buffer raw = {0};
	int failed = name_decode(&raw, displayed);

	if (!failed)
		url_append_segment(request, buffer_cstr(&raw), raw.length);
	buffer_finish(&raw);
	return failed;
}

static int url_append_path(struct http_request *request, const struct op_args *args,
			   const char *path)
{
	const struct {
		const char *part, *id;
	} ids[] = {
		{"/{account}", args->account}, {"/{store}", args->store_id}, {"/{id}", args->id}};
	const char *id;
	size_t length;
	int failed = 0;

	for (; *path && !failed; path += length) {
		length = 1 + strcspn(path + 1, "/");
		id = NULL;
		for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
			if (strncmp(path, ids[i].part, length) == 0)
				id = ids[i].id;
		if (path[1] != '{')
			buffer_append(&request->target, path, length);
		else if (strncmp(path, "/{name}", length) == 0)
			failed = url_append_name(request, args->name);
		else if (id && *id)
			url_append_segment(request, id, strlen(id));
		else
			failed = -EINVAL; /* an empty one would make another address */
	}
	return failed;
}

int request_append(const struct service_operation *operation, const struct op_args *args,
		   struct http_request *request)
{
	int failed = url_append_path(request, args, operation->path);

	request->method = operation->method;
	request->bears_value = operation->write && args->value && !args->client_key;
	request->content_type = operation->type	   ? operation->type
				: operation->write ? TYPE_JSON
						   : NULL;
	if (!failed && operation->query)
		failed = operation->query(args, request);
	if (!failed && operation->write)
		failed = request_body(request, args, operation->write);
	if (!failed && (request->target.failed || request->headers.failed))
		failed = -ENOMEM;
	return failed;
}

int request_build(const struct service_operation *operation, const struct op_args *args,
		  struct http_request *request)
{
	http_request_header(request, "Accept", TYPE_JSON);
	return request_append(operation, args, request);
}
