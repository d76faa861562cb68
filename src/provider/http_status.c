/*
 * What an HTTP status means where the service's words say nothing more: one table (doc/apis.md,
 * Common 1).
 */
#include <errno.h>
#include <string.h>

#include "provider_internal.h"

static const struct http_status_info http_statuses[] = {
	/* Those that official clients take for success (doc/apis.md, Fastly 5). */
	{200, "OK", 0, RETRY_NEVER},
	{201, "Created", 0, RETRY_NEVER},
	{202, "Accepted", 0, RETRY_NEVER},
	{204, "No Content", 0, RETRY_NEVER},
	{205, "Reset Content", 0, RETRY_NEVER},
	{206, "Partial Content", 0, RETRY_NEVER},
	{207, "Multi-Status", 0, RETRY_NEVER},

	{301, "Moved Permanently", EIO, RETRY_NEVER},
	{302, "Found", EIO, RETRY_NEVER},
	{303, "See Other", EIO, RETRY_NEVER},
	{307, "Temporary Redirect", EIO, RETRY_NEVER},
	{308, "Permanent Redirect", EIO, RETRY_NEVER},

	{400, "Bad Request", EINVAL, RETRY_NEVER},
	{401, "Unauthorized", EACCES, RETRY_NEVER},
	{402, "Payment Required", EINVAL, RETRY_NEVER},
	{403, "Forbidden", EACCES, RETRY_NEVER},
	{404, "Not Found", ENOENT, RETRY_NEVER},
	{405, "Method Not Allowed", EINVAL, RETRY_NEVER},
	{407, "Proxy Authentication Required", EACCES, RETRY_NEVER},
	/* The server did not wait for the end of the request, so that nothing was carried out. */
	{408, "Request Timeout", EAGAIN, RETRY_LATER},
	{409, "Conflict", EEXIST, RETRY_NEVER},
	{410, "Gone", ENOENT, RETRY_NEVER},
	{413, "Content Too Large", EFBIG, RETRY_NEVER},
	{415, "Unsupported Media Type", EINVAL, RETRY_NEVER},
	{422, "Unprocessable Content", EINVAL, RETRY_NEVER},
	{425, "Too Early", EAGAIN, RETRY_LATER},
	{429, "Too Many Requests", EAGAIN, RETRY_LATER},

	{500, "Internal Server Error", EIO, RETRY_AFTER_CHECK},
	{501, "Not Implemented", EIO, RETRY_AFTER_CHECK},
	{502, "Bad Gateway", EIO, RETRY_AFTER_CHECK},
	{503, "Service Unavailable", EIO, RETRY_AFTER_CHECK},
	{504, "Gateway Timeout", EIO, RETRY_AFTER_CHECK},

	{2, "a success of an unknown kind", EIO, RETRY_AFTER_CHECK},
	{3, "a redirection", EIO, RETRY_NEVER},
	{4, "a refusal of an unknown kind", EINVAL, RETRY_NEVER},
};

static const struct http_status_info unknown = {0, "an unknown status", EIO, RETRY_AFTER_CHECK};

const struct http_status_info *http_status_info(int status)
{
	for (size_t i = 0; i < sizeof(http_statuses) / sizeof(http_statuses[0]); i++)
		if (http_statuses[i].status == status ||
		    (http_statuses[i].status < 10 && http_statuses[i].status == status / 100))
			return &http_statuses[i];
	return &unknown;
}

bool response_is_success(const struct http_response *response)
{
	return http_status_info(response->status)->errnum == 0;
}

int response_reset(struct response_parser *parser)
{
	struct failure *failure = parser->failure, request_id = {0};
	const char *value =
		http_response_header(parser->response, parser->provider->request_id_header);

	if (!value)
		value = http_response_header(parser->response, "X-Request-Id");
	if (value)
		failure_set_message(&request_id, value,
				    strnlen(value, sizeof(failure->request_id) - 1));
	*failure = (struct failure){.http_status = parser->response->status};
	memcpy(failure->request_id, request_id.message, sizeof(failure->request_id) - 1);
	*parser->retry_hint = RETRY_NEVER;
	return 0;
}

int response_map_status(struct response_parser *parser)
{
	const struct http_response *response = parser->response;
	const struct http_status_info *info = http_status_info(response->status);
	const char *location = http_response_header(response, "Location");
	const char *plain = text_plain_body(response);

	*parser->retry_hint = info->retry_hint;
	if (info->errnum == 0)
		return 0;
	if (response->status / 100 == 3 && location)
		failure_set(parser->failure, info->errnum, "%d %s to %s, which is not followed",
			    response->status, info->phrase, location);
	else
		failure_set(parser->failure, info->errnum, "%d %s, no explanation",
			    response->status, info->phrase);
	if (plain)
		failure_set_message(parser->failure, plain, response->body.length);
	return -info->errnum;
}
