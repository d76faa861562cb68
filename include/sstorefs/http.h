#pragma once

#include <stdbool.h>

#include "sstorefs/buffer.h"
#include "sstorefs/locked.h"

/*
 * What providers write and read and the network carries: one HTTP request, one HTTP response. Plain
 * data.
 */
enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE };

/* "GET" for HTTP_GET. */
const char *http_method_name(enum http_method method);

struct http_request {
	enum http_method method;
	struct buffer target; /* path and query, from '/', appended to the endpoint */
	struct buffer
		headers; /* further header lines, each `Name: value` and a NUL; nothing secret */
	const char *content_type; /* of the body; NULL: none is sent. Static */
	struct locked body;	  /* sent as it is; empty: none. The sender of unsealed values
				     sets `body.pool` */
	bool bears_value; /* the body holds a value that is not sealed: HTTP/1.1 only, so that no
			     library keeps it */
};

/* Frees what the request holds; a body is wiped. It can be filled in again. */
void http_request_free(struct http_request *request);

/* Appends one header line to `request->headers`. */
void http_request_header(struct http_request *request, const char *name, const char *value);

struct http_response {
	int status;
	struct buffer headers; /* as received, each line `Name: value` without trailing blanks and a
				  NUL; of the last response only */
	struct buffer body;    /* decoded (gzip), complete; at most HTTP_BODY_MAX */
};

#define HTTP_BODY_MAX	(8u << 20)
#define HTTP_HEADER_MAX (64u << 10)

/* Frees what the response holds, and wipes its body: it may quote a value. */
void http_response_free(struct http_response *response);

/* Returns the value of header `name` (case-insensitive, first one wins), without surrounding
 * blanks; NULL if absent. Valid as long as the response. */
const char *http_response_header(const struct http_response *response, const char *name);

/* Returns the value of the next line of that name behind the value `previous` (NULL: the first). A
 * list may stand on several lines (RFC 9110, 5.3). */
const char *http_response_header_next(const struct http_response *response, const char *name,
				      const char *previous);
