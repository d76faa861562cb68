/* Parses the address of a service, by libcurl's URL API, and refuses what would expose a token. */
#include "sstorefs/endpoint.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

bool host_is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;
	char inner[INET6_ADDRSTRLEN] = "";
	size_t length = strlen(host);

	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (length < 2 || length - 2 >= sizeof(inner) || host[0] != '[' || host[length - 1] != ']')
		return false;
	memcpy(inner, host + 1, length - 2);
	return inet_pton(AF_INET6, inner, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool has_part(CURLU *parts, CURLUPart part)
{
	char *text = NULL;
	bool has = curl_url_get(parts, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return has;
}

static const char *find_fault(const struct endpoint *endpoint, CURLU *parts, const char *scheme,
			      const char *url)
{
	if (has_part(parts, CURLUPART_USER) || has_part(parts, CURLUPART_PASSWORD) ||
	    has_part(parts, CURLUPART_QUERY) || has_part(parts, CURLUPART_FRAGMENT))
		return "has more than a host and a path";
	if (!endpoint->https && strcasecmp(scheme, "http") != 0)
		return "is neither https:// nor http://";
	if (!endpoint->https && !endpoint->loopback)
		return "would send the token in clear text";
	/* libcurl takes one slash for two. */
	return strncmp(url + strlen(scheme), "://", 3) != 0 ? "is no URL" : NULL;
}

int endpoint_parse(struct endpoint *endpoint, const char *url, const char **fault)
{
	CURLU *parts = curl_url();
	CURLUcode code = parts ? CURLUE_OK : CURLUE_OUT_OF_MEMORY;
	char *scheme = NULL;

	*endpoint = (struct endpoint){0};
	code = code ? code : curl_url_set(parts, CURLUPART_URL, url, CURLU_PATH_AS_IS);
	code = code ? code : curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0);
	code = code ? code : curl_url_get(parts, CURLUPART_HOST, &endpoint->host, 0);
	code = code ? code
		    : curl_url_get(parts, CURLUPART_PORT, &endpoint->port, CURLU_DEFAULT_PORT);
	*fault = code == CURLUE_OUT_OF_MEMORY ? "can't be read: out of memory" : "is no URL";
	if (!code) {
		endpoint->https = strcasecmp(scheme, "https") == 0;
		endpoint->loopback = host_is_loopback(endpoint->host);
		*fault = find_fault(endpoint, parts, scheme, url);
	}
	curl_free(scheme);
	curl_url_cleanup(parts);
	if (code == CURLUE_OUT_OF_MEMORY)
		return -ENOMEM;
	return *fault ? -EINVAL : 0;
}

void endpoint_free(struct endpoint *endpoint)
{
	curl_free(endpoint->host);
	curl_free(endpoint->port);
	*endpoint = (struct endpoint){0};
}
