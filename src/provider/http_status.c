/* What HTTP statuses mean to us, in one table; what a service's own words add to that is in the provider's file. */
#include <errno.h>
#include <string.h>

#include "provider_internal.h"

static const struct status_meaning meanings[] = {
	/* Those that official clients take for success (API-FACTS 1.5). */
	{200, "OK", 0, REMEDY_NONE},
	{201, "Created", 0, REMEDY_NONE},
	{202, "Accepted", 0, REMEDY_NONE},
	{204, "No Content", 0, REMEDY_NONE},
	{205, "Reset Content", 0, REMEDY_NONE},
	{206, "Partial Content", 0, REMEDY_NONE},
	{207, "Multi-Status", 0, REMEDY_NONE},

	{301, "Moved Permanently", EIO, REMEDY_NONE},
	{302, "Found", EIO, REMEDY_NONE},
	{303, "See Other", EIO, REMEDY_NONE},
	{307, "Temporary Redirect", EIO, REMEDY_NONE},
	{308, "Permanent Redirect", EIO, REMEDY_NONE},

	{400, "Bad Request", EINVAL, REMEDY_NONE},
	{401, "Unauthorized", EACCES, REMEDY_NONE},
	{402, "Payment Required", EINVAL, REMEDY_NONE},
	{403, "Forbidden", EACCES, REMEDY_NONE},
	{404, "Not Found", ENOENT, REMEDY_NONE},
	{405, "Method Not Allowed", EINVAL, REMEDY_NONE},
	{407, "Proxy Authentication Required", EACCES, REMEDY_NONE},
	/* The server did not wait for the end of the request, so that nothing was carried out. */
	{408, "Request Timeout", EAGAIN, REMEDY_LATER},
	{409, "Conflict", EEXIST, REMEDY_NONE},
	{410, "Gone", ENOENT, REMEDY_NONE},
	{413, "Content Too Large", EFBIG, REMEDY_NONE},
	{415, "Unsupported Media Type", EINVAL, REMEDY_NONE},
	{422, "Unprocessable Content", EINVAL, REMEDY_NONE},
	{425, "Too Early", EAGAIN, REMEDY_LATER},
	{429, "Too Many Requests", EAGAIN, REMEDY_LATER},

	{500, "Internal Server Error", EIO, REMEDY_LOOK},
	{501, "Not Implemented", EIO, REMEDY_LOOK},
	{502, "Bad Gateway", EIO, REMEDY_LOOK},
	{503, "Service Unavailable", EIO, REMEDY_LOOK},
	{504, "Gateway Timeout", EIO, REMEDY_LOOK},

	{2, "a success of an unknown kind", EIO, REMEDY_LOOK},
	{3, "a redirection", EIO, REMEDY_NONE},
	{4, "a refusal of an unknown kind", EINVAL, REMEDY_NONE},
};

static const struct status_meaning unknown = {0, "an unknown status", EIO, REMEDY_LOOK};

const struct status_meaning *status_meaning(int status)
{
	size_t i;

	for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].status == status ||
		    (meanings[i].status < 10 && meanings[i].status == status / 100))
			return &meanings[i];
	return &unknown;
}

int answer_begin(const struct http_answer *answer, const struct provider *provider, struct failure *failure,
		 enum remedy *remedy)
{
	const char *names[] = {provider->request_id_header, "X-Request-Id"};
	struct failure request_id = {0};
	const char *value = NULL;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]) && !value; i++)
		value = http_answer_header(answer, names[i]);
	if (value)
		failure_quote(&request_id, value, strnlen(value, sizeof(failure->request_id) - 1));
	memset(failure, 0, sizeof(*failure));
	memcpy(failure->request_id, request_id.words, sizeof(failure->request_id) - 1);
	failure->status = answer->status;
	*remedy = REMEDY_NONE;
	return 0;
}

int answer_status(const struct http_answer *answer, struct failure *failure, enum remedy *remedy)
{
	const struct status_meaning *meaning = status_meaning(answer->status);
	const char *location = http_answer_header(answer, "Location");

	*remedy = meaning->remedy;
	if (meaning->error == 0)
		return 0;
	if (answer->status / 100 == 3 && location)
		return failure_set(failure, meaning->error, "%d %s to %s, which is not followed",
				   answer->status, meaning->phrase, location);
	return failure_set(failure, meaning->error, "%d %s, no explanation", answer->status, meaning->phrase);
}

int answer_nonsense(struct failure *failure, enum remedy *remedy, const char *what)
{
	*remedy = REMEDY_LOOK;
	return failure_set(failure, EIO, "the service answered %d %s, but %s", failure->status,
			   status_meaning(failure->status)->phrase, what);
}
