/* Parses the address of a proxy, and tells whether NO_PROXY exempts a host from it. */
#include "sstorefs/proxy.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sstorefs/endpoint.h"

static const char *default_port(const char *scheme)
{
	static const struct {
		const char *scheme, *port; /* libcurl's defaults */
	} schemes[] = {{"http", "1080"},    {"https", "443"},	{"socks4", "1080"},
		       {"socks4a", "1080"}, {"socks5", "1080"}, {"socks5h", "1080"}};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (strcasecmp(scheme, schemes[i].scheme) == 0)
			return schemes[i].port;
	return NULL;
}

static CURLU *parts_of(const char *url)
{
	CURLU *parts = curl_url();
	char *whole = NULL;

	if (!parts || asprintf(&whole, "%s%s", strstr(url, "://") ? "" : "http://", url) < 0 ||
	    curl_url_set(parts, CURLUPART_URL, whole, CURLU_NON_SUPPORT_SCHEME)) {
		curl_url_cleanup(parts);
		parts = NULL;
	}
	free(whole);
	return parts;
}

/* One part of a URL, to be given to curl_free; NULL: it has none. */
static char *part_of(CURLU *parts, CURLUPart part, unsigned flags)
{
	char *text = NULL;

	return curl_url_get(parts, part, &text, flags) == CURLUE_OK ? text : NULL;
}

static int proxy_build(struct proxy *proxy, CURLU *parts, const char **fault)
{
	char *scheme = part_of(parts, CURLUPART_SCHEME, 0),
	     *host = part_of(parts, CURLUPART_HOST, 0), *port = part_of(parts, CURLUPART_PORT, 0),
	     *path = part_of(parts, CURLUPART_PATH, 0), *user = part_of(parts, CURLUPART_USER, 0),
	     *query = part_of(parts, CURLUPART_QUERY, 0);
	const char *otherwise = scheme ? default_port(scheme) : NULL;
	int failed = -EINVAL;

	if (!otherwise)
		*fault = "is none of http://, https:// and socks5h://";
	else if (!host || !*host || (path && strcmp(path, "/") != 0) || query)
		*fault = "has more or less than a host and a port";
	else if (asprintf(&proxy->url, "%s://%s:%s", scheme, host, port ? port : otherwise) < 0)
		proxy->url = NULL, failed = -ENOMEM;
	else if (asprintf(&proxy->shown, "%s://%s%s%s:%s", scheme, user ? user : "",
			  user ? "@" : "", host, port ? port : otherwise) < 0)
		proxy->shown = NULL, failed = -ENOMEM;
	else
		failed = 0;
	proxy->loopback = host && host_is_loopback(host);
	for (size_t i = 0; i < 6; i++)
		curl_free((char *[]){scheme, host, port, path, user, query}[i]);
	return failed;
}

int proxy_parse(struct proxy *proxy, const char *url, const char **fault)
{
	CURLU *parts = parts_of(url);
	char *user, *password;
	int failed;

	*proxy = (struct proxy){0};
	*fault = "is no URL";
	if (!parts)
		return -EINVAL;
	failed = proxy_build(proxy, parts, fault);
	user = part_of(parts, CURLUPART_USER, CURLU_URLDECODE);
	password = part_of(parts, CURLUPART_PASSWORD, 0);
	proxy->has_password = password != NULL;
	if (!failed && user && !(proxy->user = strdup(user)))
		failed = -ENOMEM;
	curl_free(user);
	curl_free(password);
	curl_url_cleanup(parts);
	return failed;
}

void proxy_free(struct proxy *proxy)
{
	free(proxy->url);
	free(proxy->user);
	free(proxy->shown);
	*proxy = (struct proxy){0};
}

char *proxy_password(const char *url)
{
	CURLU *parts = parts_of(url);
	char *password = parts ? part_of(parts, CURLUPART_PASSWORD, CURLU_URLDECODE) : NULL;

	curl_url_cleanup(parts);
	return password;
}

void proxy_password_free(char *password)
{
	curl_free(password);
}

/* True if `item`, ADDRESS or ADDRESS/BITS, covers the address `host`. */
static bool network_covers(const char *item, const char *host, int family)
{
	unsigned char network[16], address[16];
	char text[INET6_ADDRSTRLEN] = "";
	size_t length = strcspn(item, "/");
	unsigned most = family == AF_INET ? 32 : 128, bits = most, whole;
	const char *digits = item + length + (item[length] == '/');

	if (length >= sizeof(text))
		return false;
	memcpy(text, item, length);
	if (item[length])
		bits = *digits && !digits[strspn(digits, "0123456789")]
			       ? (unsigned)strtoul(digits, NULL, 10)
			       : UINT_MAX;
	if (bits > most)
		return false;
	if (inet_pton(family, text, network) != 1 || inet_pton(family, host, address) != 1)
		return false;
	whole = bits / 8;
	return memcmp(network, address, whole) == 0 &&
	       (bits % 8 == 0 || (network[whole] ^ address[whole]) >> (8 - bits % 8) == 0);
}

static bool name_covers(const char *item, const char *host)
{
	size_t length = strlen(item), all = strlen(host);

	return length > 0 && length <= all && strcasecmp(host + all - length, item) == 0 &&
	       (length == all || host[all - length - 1] == '.');
}

bool proxy_is_bypassed(const char *host, const char *list)
{
	char name[256], item[256];

	/* Without the brackets of an IPv6 address, and without the dot of the root. */
	snprintf(name, sizeof(name), "%s", *host == '[' ? host + 1 : host);
	if (*name && strchr("].", name[strlen(name) - 1]))
		name[strlen(name) - 1] = '\0';
	while (*(list += strspn(list, ", \t"))) {
		size_t length = strcspn(list, ", \t"), kept = length;

		if (kept > 1 && list[kept - 1] == '.')
			kept--;
		snprintf(item, sizeof(item), "%.*s", (int)kept, list);
		if (strcmp(item, "*") == 0 || name_covers(item + (*item == '.'), name) ||
		    network_covers(item, name, AF_INET) || network_covers(item, name, AF_INET6))
			return true;
		list += length;
	}
	return false;
}
