#pragma once

#include <stdbool.h>

/* A proxy on the way to the service. Zeroed: none. */
struct proxy {
	char *url;   /* SCHEME://HOST:PORT; NULL: none */
	char *user;  /* NULL: none */
	char *shown; /* the URL with the user, for people */
	bool loopback, has_password;
};

/*
 * Parses `url`: [SCHEME://][USER[:PASSWORD]@]HOST[:PORT], where SCHEME is http (the default),
 * https, socks4, socks4a, socks5 or socks5h. Keeps no password.
 *
 * Returns 0, -ENOMEM, or -EINVAL; `fault` is set to a phrase on failure ("is no URL"), which does
 * not quote the URL. proxy_free is right in all cases.
 */
int proxy_parse(struct proxy *proxy, const char *url, const char **fault);
void proxy_free(struct proxy *proxy);

/* Returns the password in `url`, decoded, to be given to proxy_password_free; NULL: none. */
char *proxy_password(const char *url);
void proxy_password_free(char *password);

/* True if `list` covers `host`, as NO_PROXY of curl(1) has it: names with all below them,
 * addresses, networks such as 10.0.0.0/8, or `*`, between commas or blanks. */
bool proxy_is_bypassed(const char *host, const char *list);
