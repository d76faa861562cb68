/*
 * One attempt on the wire: from a request to libcurl's options, from its callbacks to an answer. What follows
 * is retry.c's.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "net_internal.h"
#include "sstorefs/clock.h"

/* An attempt gets a third of what is left to find a connection, and no more than this, milliseconds. */
#define CONNECT_MAX 10000

static uint64_t connect_limit(uint64_t left)
{
	uint64_t limit = left / 3 < CONNECT_MAX ? left / 3 : CONNECT_MAX;

	return limit ? limit : 1;
}

/*
 * Called before each sending of the request. libcurl repeats it by itself when a kept connection dies before
 * the first byte of the answer: the request may then have been carried out already.
 */
static int request_leaves(void *context, char *to, char *from, int to_port, int from_port)
{
	struct exchange *exchange = context;
	struct call *call = exchange->call;

	(void)to, (void)from, (void)to_port, (void)from_port;
	if (exchange->sends) {
		call->lost = true;
		if (!call->repeatable || call->once)
			return CURL_PREREQFUNC_ABORT;
	}
	exchange->net->moved = true;
	exchange->sends++;
	call->sends++;
	call->sent_at = clock_boottime();
	return CURL_PREREQFUNC_OK;
}

static size_t body_came(char *data, size_t one, size_t length, void *context)
{
	struct exchange *exchange = context;
	struct buffer *body = &exchange->answer.body;

	(void)one;
	exchange->net->moved = true;
	if (length > HTTP_BODY_MAX - body->length) {
		exchange->overflow = OVERFLOW_BODY;
		return 0;
	}
	buffer_append(body, data, length);
	if (body->failed) {
		exchange->overflow = OVERFLOW_MEMORY;
		return 0;
	}
	return length;
}

/*
 * libcurl keeps what came last over HTTP/2 for as long as the connection lives, and who refuses what a value is may
 * quote it: then the connection goes with the answer.
 */
static void leave_if_quoted(const struct exchange *exchange)
{
	long status = 0;

	curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
	if (exchange->call->upload && (status == 400 || status == 413 || status == 422 || status >= 500))
		curl_easy_setopt(exchange->easy, CURLOPT_FORBID_REUSE, 1L);
}

static size_t header_came(char *line, size_t one, size_t length, void *context)
{
	struct exchange *exchange = context;
	struct buffer *headers = &exchange->answer.headers;
	size_t end = length;

	(void)one;
	exchange->net->moved = true;
	exchange->header_bytes += length;
	if (exchange->header_bytes > HTTP_HEADER_MAX) {
		exchange->overflow = OVERFLOW_HEADERS;
		return 0;
	}
	while (end && strchr("\r\n\t ", line[end - 1]))
		end--;
	if (length > 5 && !memcmp(line, "HTTP/", 5)) {
		/* A status line: what stood before it was an interim answer's. */
		buffer_clear(headers);
	} else if (end) {
		buffer_append(headers, line, end);
		buffer_append(headers, "", 1);
	} else {
		leave_if_quoted(exchange);
	}
	if (headers->failed) {
		exchange->overflow = OVERFLOW_MEMORY;
		return 0;
	}
	return length;
}

/* What was sent and is not acknowledged for so long breaks the connection: the host, or our own network, has
 * gone (a laptop that woke up elsewhere), and a fresh connection may find it. */
static int socket_made(void *context, curl_socket_t fd, curlsocktype purpose)
{
	const struct exchange *exchange = context;
	unsigned limit = (unsigned)connect_limit(exchange->net->timeout);

	(void)purpose;
	exchange->net->moved = true;
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit));
	return CURL_SOCKOPT_OK;
}

static bool line_add(struct exchange *exchange, const char *line)
{
	struct curl_slist *lines = curl_slist_append(exchange->lines, line);

	if (!lines)
		return false;
	exchange->lines = lines;
	return true;
}

static bool lines_add(struct exchange *exchange, const char *lines, size_t length)
{
	for (const char *end = lines + length; lines < end; lines += strlen(lines) + 1) {
		if (!line_add(exchange, lines))
			return false;
	}
	return true;
}

static bool headers_add(struct exchange *exchange)
{
	const struct http_request *request = &exchange->call->request;
	const struct locked *credentials = &exchange->net->credentials;
	struct buffer type = {0};

	buffer_printf(&type, "Content-Type:%s%s", request->content_type ? " " : "",
		      request->content_type ? request->content_type : "");
	/* Without a value `Content-Type:` and `Expect:` take away what libcurl would add by itself. */
	bool added = !type.failed && line_add(exchange, type.data) && line_add(exchange, "Expect:") &&
		     (!request->headers.length ||
		      lines_add(exchange, request->headers.data, request->headers.length)) &&
		     (!credentials->length ||
		      lines_add(exchange, (const char *)credentials->data, credentials->length));

	buffer_finish(&type);
	return added;
}

/* Collects the first failure of a row of curl_easy_setopt. */
#define SET(option, value) (code = code ? code : curl_easy_setopt(easy, CURLOPT_##option, value))

static CURLcode set_request(const struct exchange *exchange)
{
	const struct net *net = exchange->net;
	const struct http_request *request = &exchange->call->request;
	bool has_body =
		request->body.length || (request->method != HTTP_GET && request->method != HTTP_DELETE);
	struct buffer url = {0};
	CURL *easy = exchange->easy;
	CURLcode code = CURLE_OK;

	buffer_string(&url, net->endpoint);
	if (request->target.length)
		buffer_append(&url, request->target.data, request->target.length);
	if (url.failed)
		code = CURLE_OUT_OF_MEMORY;
	SET(URL, url.data);
	if (has_body) {
		SET(POST, 1L);
		/* Sent from where it lies: libcurl keeps no copy of the pointer's target. */
		SET(POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
		SET(POSTFIELDS, request->body.length ? (const char *)request->body.data : "");
	}
	if (request->method != HTTP_GET && request->method != HTTP_POST)
		SET(CUSTOMREQUEST, http_method_name(request->method));
	SET(HTTPHEADER, exchange->lines);
	buffer_finish(&url);
	return code;
}

static CURLcode set_connection(const struct exchange *exchange, uint64_t left)
{
	const struct net *net = exchange->net;
	bool one_at_a_time = !net->https || exchange->call->request.bears_value;
	CURL *easy = exchange->easy;
	CURLcode code = CURLE_OK;

	SET(PROTOCOLS_STR, net->https ? "https" : "http");
	SET(HTTP_VERSION, one_at_a_time ? (long)CURL_HTTP_VERSION_1_1 : (long)CURL_HTTP_VERSION_2TLS);
	SET(PIPEWAIT, one_at_a_time ? 0L : 1L);
	SET(FRESH_CONNECT, exchange->fresh ? 1L : 0L);
	SET(CONNECTTIMEOUT_MS, (long)connect_limit(left));
	SET(TCP_NODELAY, 1L);
	SET(TCP_KEEPALIVE, 1L);
	SET(TCP_KEEPIDLE, 30L);
	SET(TCP_KEEPINTVL, 10L);
	SET(SOCKOPTFUNCTION, socket_made);
	SET(SOCKOPTDATA, exchange);
	SET(SHARE, net->share);
	SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/*
	 * libcurl keeps one list of connections a host, and one HTTP/1.1 answer makes it forget that the host
	 * can multiplex: 50 requests then opened 50 connections (7.88). The address scope is part of that
	 * list's key and means something to link-local addresses only, so it sets the connections that bear
	 * values apart.
	 */
	if (net->https && one_at_a_time)
		SET(ADDRESS_SCOPE, 1L);
	SET(SSL_VERIFYPEER, 1L);
	SET(SSL_VERIFYHOST, 2L);
	if (net->cacert)
		SET(CAINFO, net->cacert);
	if (net->own_ca_only)
		SET(CAPATH, NULL);
	if (net->loopback)
		SET(PROXY, "");
	return code;
}

static CURLcode set_callbacks(struct exchange *exchange)
{
	CURL *easy = exchange->easy;
	CURLcode code = CURLE_OK;

	SET(PRIVATE, exchange);
	SET(PREREQFUNCTION, request_leaves);
	SET(PREREQDATA, exchange);
	SET(WRITEFUNCTION, body_came);
	SET(WRITEDATA, exchange);
	SET(HEADERFUNCTION, header_came);
	SET(HEADERDATA, exchange);
	SET(ERRORBUFFER, exchange->error);
	return code;
}

static CURLcode set_manners(CURL *easy)
{
	CURLcode code = CURLE_OK;

	SET(NOSIGNAL, 1L);
	/* Without it the end of a handle waits for the resolver's thread, and the loop with it. */
	SET(QUICK_EXIT, 1L);
	SET(NOPROGRESS, 1L);
	SET(PATH_AS_IS, 1L);
	SET(FOLLOWLOCATION, 0L);
	SET(DISALLOW_USERNAME_IN_URL, 1L);
	SET(SUPPRESS_CONNECT_HEADERS, 1L);
	/*
	 * Compressed answers are not asked for: they would lie unpacked in one buffer more, their length would tell
	 * of the value that a refusal quotes, and the largest page saves a few milliseconds. One that comes all
	 * the same is read.
	 */
	SET(ACCEPT_ENCODING, "identity");
	SET(USERAGENT, "sstorefs/" SSTOREFS_VERSION);
	return code;
}

/*
 * A new easy handle for every attempt: libcurl keeps 64 KiB of what was sent last in each, credentials and
 * value among it, until the handle goes and the allocator wipes it.
 */
int transfer_start(struct exchange *exchange)
{
	struct net *net = exchange->net;

	exchange->error[0] = '\0';
	exchange->overflow = OVERFLOW_NONE;
	exchange->header_bytes = 0;
	exchange->sends = 0;
	exchange->easy = curl_easy_init();
	if (!exchange->easy || !headers_add(exchange))
		goto fail;
	if (set_manners(exchange->easy) || set_connection(exchange, exchange_left(exchange)) ||
	    set_callbacks(exchange) || set_request(exchange))
		goto fail;
	if (curl_multi_add_handle(net->multi, exchange->easy))
		goto fail;
	net->transfers++;
	net->moved = true;
	if (exchange->own_connection)
		net->connections[exchange->call->upload]++;
	return 0;

fail:
	curl_easy_cleanup(exchange->easy);
	curl_slist_free_all(exchange->lines);
	exchange->easy = NULL;
	exchange->lines = NULL;
	return -ENOMEM;
}

void transfer_stop(struct exchange *exchange)
{
	struct net *net = exchange->net;

	if (!exchange->easy)
		return;
	curl_multi_remove_handle(net->multi, exchange->easy);
	curl_easy_cleanup(exchange->easy);
	curl_slist_free_all(exchange->lines);
	exchange->easy = NULL;
	exchange->lines = NULL;
	net->transfers--;
	/* Its connection may be shut down now: the next turn finds out. */
	net->moved = net->closing = true;
	if (exchange->own_connection)
		net->connections[exchange->call->upload]--;
}

bool transfer_finish(struct exchange *exchange)
{
	long status = 0, version = 0;

	curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(exchange->easy, CURLINFO_HTTP_VERSION, &version);
	exchange->answer.status = (int)status;
	transfer_stop(exchange);
	return version >= CURL_HTTP_VERSION_2_0;
}
