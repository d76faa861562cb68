#pragma once

#include <stdbool.h>

/* The base URL of a service, taken apart. Zeroed: none. */
struct endpoint {
	bool https, loopback; /* else plain HTTP; else another host */
	char *host, *port;    /* as in the URL, an IPv6 address in brackets; the scheme's port if
				 the URL names none */
};

/*
 * Parses `url`: https://HOST[:PORT][/PATH], or http:// to a loopback address. Scheme and host are
 * case-insensitive (RFC 3986, 3.1 and 3.2.2).
 *
 * Returns 0, -ENOMEM, or -EINVAL; `fault` is set to a phrase on failure ("is no URL"), which does
 * not quote the URL: it may hold a password. endpoint_free is right in all cases.
 */
int endpoint_parse(struct endpoint *endpoint, const char *url, const char **fault);
/* True for localhost, 127.0.0.0/8 and [::1]. */
bool host_is_loopback(const char *host);
void endpoint_free(struct endpoint *endpoint);
