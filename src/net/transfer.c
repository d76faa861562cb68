/*
 * One attempt on the wire: from a request to libcurl's options, from its callbacks to a response.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "net_internal.h"
#include "sstorefs/clock.h"

/* An attempt gets a third of what is left to find a connection, and no more than this,
 * milliseconds. */
#define CONNECT_MAX 10000

static uint64_t connect_limit(uint64_t left)
{
	uint64_t limit = left / 3 < CONNECT_MAX ? left / 3 : CONNECT_MAX;

	return limit ? limit : 1;
}

/*
 * Called before each sending of the request. libcurl repeats it by itself when a kept connection
 * dies before the first byte of the response: the request may then have been carried out already.
 */
static int on_send(void *context, char *to, char *from, int to_port, int from_port)
{
	struct call_state *state = context;
	struct http_call *call = state->call;

	(void)to, (void)from, (void)to_port, (void)from_port;
	/* The service refused another call while this one waited for its connection. */
	if (!state->times_sent && throttle_refused_until(state->net, state->is_change)) {
		state->throttled = true;
		return CURL_PREREQFUNC_ABORT;
	}
	if (state->times_sent) {
		call->indeterminate = true;
		if (!call->idempotent || call->no_retry)
			return CURL_PREREQFUNC_ABORT;
	}
	state->net->moved = true;
	state->times_sent++;
	call->times_sent++;
	call->sent_at = clock_boottime();
	return CURL_PREREQFUNC_OK;
}

static size_t on_body(char *data, size_t one, size_t length, void *context)
{
	struct call_state *state = context;
	struct buffer *body = &state->response.body;

	(void)one;
	state->net->moved = true;
	if (length > HTTP_BODY_MAX - body->length) {
		state->overflow = OVERFLOW_BODY;
		return 0;
	}
	buffer_append(body, data, length);
	if (body->failed) {
		state->overflow = OVERFLOW_MEMORY;
		return 0;
	}
	return length;
}

/* libcurl keeps what came last over HTTP/2 for as long as the connection lives, and a service that
 * rejects a value may quote it: then the connection goes with the response. */
static void drop_connection_if_value_echoed(const struct call_state *state)
{
	long status = 0;

	curl_easy_getinfo(state->easy, CURLINFO_RESPONSE_CODE, &status);
	if (state->call->upload &&
	    (status == 400 || status == 413 || status == 422 || status >= 500))
		curl_easy_setopt(state->easy, CURLOPT_FORBID_REUSE, 1L);
}

/* Adds one line without its trailing blanks. One that begins with a blank goes on with the line
 * before it (RFC 9112, 5.2). */
static void take_header(struct buffer *headers, const char *line, size_t length)
{
	if ((*line == ' ' || *line == '\t') && headers->length)
		headers->data[headers->length - 1] = ' ';
	buffer_append(headers, line, length);
	buffer_append(headers, "", 1);
}

static size_t on_header(char *line, size_t one, size_t length, void *context)
{
	struct call_state *state = context;
	struct buffer *headers = &state->response.headers;
	size_t end = length;

	(void)one;
	state->net->moved = true;
	state->header_bytes += length;
	if (state->header_bytes > HTTP_HEADER_MAX) {
		state->overflow = OVERFLOW_HEADERS;
		return 0;
	}
	while (end && strchr("\r\n\t ", line[end - 1]))
		end--;
	/* A status line: what stood before it was of an interim response (1xx). */
	if (length > 5 && !memcmp(line, "HTTP/", 5))
		buffer_clear(headers);
	else if (end)
		take_header(headers, line, end);
	else
		drop_connection_if_value_echoed(state);
	if (headers->failed) {
		state->overflow = OVERFLOW_MEMORY;
		return 0;
	}
	return length;
}

/* Data that is not acknowledged for so long breaks the connection: the host, or our own network,
 * has gone (a laptop that woke up elsewhere), and a fresh connection may find it. */
static int on_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
	const struct call_state *state = context;
	unsigned limit = (unsigned)connect_limit(state->net->options.timeout);

	(void)purpose;
	state->net->moved = true;
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit));
	return CURL_SOCKOPT_OK;
}

static bool line_add(struct call_state *state, const char *line)
{
	struct curl_slist *lines = curl_slist_append(state->lines, line);

	if (!lines)
		return false;
	state->lines = lines;
	return true;
}

static bool lines_add(struct call_state *state, const char *lines, size_t length)
{
	for (const char *end = lines + length; lines < end; lines += strlen(lines) + 1) {
		if (!line_add(state, lines))
			return false;
	}
	return true;
}

static bool headers_add(struct call_state *state)
{
	const struct http_request *request = &state->call->request;
	const struct locked *credentials = &state->net->credentials;
	struct buffer type = {0};

	buffer_printf(&type, "Content-Type:%s%s", request->content_type ? " " : "",
		      request->content_type ? request->content_type : "");
	/* `Content-Type:` and `Expect:` without a value take away what libcurl would add. */
	bool added = !type.failed && line_add(state, type.data) && line_add(state, "Expect:") &&
		     (!request->headers.length ||
		      lines_add(state, request->headers.data, request->headers.length)) &&
		     (!credentials->length ||
		      lines_add(state, (const char *)credentials->data, credentials->length));

	buffer_finish(&type);
	return added;
}

/* Collects the first failure of a row of curl_easy_setopt. */
#define SETOPT(option, value) (code = code ? code : curl_easy_setopt(easy, CURLOPT_##option, value))

static CURLcode set_request(const struct call_state *state)
{
	const struct net *net = state->net;
	const struct http_request *request = &state->call->request;
	bool has_body = request->body.length ||
			(request->method != HTTP_GET && request->method != HTTP_DELETE);
	struct buffer url = {0};
	CURL *easy = state->easy;
	CURLcode code = CURLE_OK;

	buffer_puts(&url, net->options.endpoint);
	if (request->target.length)
		buffer_append(&url, request->target.data, request->target.length);
	if (url.failed)
		code = CURLE_OUT_OF_MEMORY;
	SETOPT(URL, url.data);
	if (has_body) {
		SETOPT(POST, 1L);
		/* Sent from where it lies: libcurl keeps no copy of the pointer's target. */
		SETOPT(POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
		SETOPT(POSTFIELDS, request->body.length ? (const char *)request->body.data : "");
	}
	if (request->method != HTTP_GET && request->method != HTTP_POST)
		SETOPT(CUSTOMREQUEST, http_method_name(request->method));
	SETOPT(HTTPHEADER, state->lines);
	buffer_finish(&url);
	return code;
}

/* Not every TLS library takes certificates; one that does not reads the file at each connection. */
static CURLcode set_trust(const struct call_state *state, CURLoption blob, CURLoption file)
{
	const struct net *net = state->net;
	struct curl_blob certificates = {.data = net->trust.certificates.data,
					 .len = net->trust.certificates.length,
					 .flags = CURL_BLOB_COPY};

	if (!curl_easy_setopt(state->easy, blob, &certificates))
		return CURLE_OK;
	curl_easy_setopt(state->easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
	return curl_easy_setopt(state->easy, file, net->options.cacert);
}

/* The environment was read with the options: libcurl must not look at it. A proxy only connects:
 * it sees nothing of requests. */
static CURLcode set_proxy(const struct call_state *state)
{
	const struct net *net = state->net;
	CURL *easy = state->easy;
	CURLcode code = CURLE_OK;

	SETOPT(NOPROXY, "");
	SETOPT(PROXY, net->proxy ? net->proxy->url : "");
	if (!net->proxy)
		return code;
	SETOPT(HTTPPROXYTUNNEL, 1L);
	SETOPT(PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (net->options.cacert)
		code = code ? code
			    : set_trust(state, CURLOPT_PROXY_CAINFO_BLOB, CURLOPT_PROXY_CAINFO);
	if (net->proxy->user)
		SETOPT(PROXYUSERNAME, net->proxy->user);
	if (net->proxy_password.length)
		SETOPT(PROXYPASSWORD, (const char *)net->proxy_password.data);
	return code;
}

static CURLcode set_connection(const struct call_state *state, uint64_t left)
{
	const struct net *net = state->net;
	bool one_at_a_time = !net->parts.https || state->call->request.bears_value;
	CURL *easy = state->easy;
	CURLcode code = CURLE_OK;

	SETOPT(PROTOCOLS_STR, net->parts.https ? "https" : "http");
	SETOPT(HTTP_VERSION,
	       one_at_a_time ? (long)CURL_HTTP_VERSION_1_1 : (long)CURL_HTTP_VERSION_2TLS);
	SETOPT(PIPEWAIT, one_at_a_time ? 0L : 1L);
	SETOPT(FRESH_CONNECT, state->fresh_connection ? 1L : 0L);
	/* The service may have moved: libcurl would use an address that it knows for a minute. */
	if (state->connect_failures || !net->counts.reachable)
		SETOPT(DNS_CACHE_TIMEOUT, 0L);
	SETOPT(CONNECTTIMEOUT_MS, (long)connect_limit(left));
	SETOPT(TCP_NODELAY, 1L);
	SETOPT(TCP_KEEPALIVE, 1L);
	SETOPT(TCP_KEEPIDLE, 30L);
	SETOPT(TCP_KEEPINTVL, 10L);
	SETOPT(SOCKOPTFUNCTION, on_socket);
	SETOPT(SOCKOPTDATA, state);
	SETOPT(SHARE, net->share);
	SETOPT(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/*
	 * libcurl keeps one list of connections a host, and one HTTP/1.1 response makes it forget
	 * that the host can multiplex: 50 requests then opened 50 connections (7.88). The address
	 * scope is part of that list's key and means something to link-local addresses only, so it
	 * sets the connections that bear values apart.
	 */
	if (net->parts.https && one_at_a_time)
		SETOPT(ADDRESS_SCOPE, 1L);
	/* For certificate_describe(); not every TLS library can. */
	curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L);
	SETOPT(SSL_VERIFYPEER, 1L);
	SETOPT(SSL_VERIFYHOST, 2L);
	if (net->options.cacert)
		code = code ? code : set_trust(state, CURLOPT_CAINFO_BLOB, CURLOPT_CAINFO);
	if (net->cafile_only)
		SETOPT(CAPATH, NULL);
	return code ? code : set_proxy(state);
}

static CURLcode set_callbacks(struct call_state *state)
{
	CURL *easy = state->easy;
	CURLcode code = CURLE_OK;

	SETOPT(PRIVATE, state);
	SETOPT(PREREQFUNCTION, on_send);
	SETOPT(PREREQDATA, state);
	SETOPT(WRITEFUNCTION, on_body);
	SETOPT(WRITEDATA, state);
	SETOPT(HEADERFUNCTION, on_header);
	SETOPT(HEADERDATA, state);
	SETOPT(ERRORBUFFER, state->error);
	return code;
}

static CURLcode set_defaults(CURL *easy)
{
	CURLcode code = CURLE_OK;

	SETOPT(NOSIGNAL, 1L);
	/* Without it the end of a handle waits for the resolver's thread, and the loop with it. */
	SETOPT(QUICK_EXIT, 1L);
	SETOPT(NOPROGRESS, 1L);
	SETOPT(PATH_AS_IS, 1L);
	SETOPT(FOLLOWLOCATION, 0L);
	SETOPT(DISALLOW_USERNAME_IN_URL, 1L);
	SETOPT(SUPPRESS_CONNECT_HEADERS, 1L);
	/*
	 * Compressed responses are not asked for: they would lie unpacked in one buffer more, their
	 * length would tell of the value that a refusal quotes, and the largest page saves a few
	 * milliseconds. One that comes all the same is read.
	 */
	SETOPT(ACCEPT_ENCODING, "identity");
	SETOPT(USERAGENT, "sstorefs/" SSTOREFS_VERSION);
	return code;
}

/*
 * A new easy handle for every attempt: libcurl keeps 64 KiB of what was sent last in each,
 * credentials and value among it, until the handle goes and the allocator wipes it.
 */
int transfer_start(struct call_state *state)
{
	struct net *net = state->net;

	state->error[0] = '\0';
	state->overflow = OVERFLOW_NONE;
	state->header_bytes = 0;
	state->times_sent = 0;
	state->throttled = false;
	state->easy = curl_easy_init();
	if (!state->easy || !headers_add(state))
		goto fail;
	if (set_defaults(state->easy) || set_connection(state, call_time_left(state)) ||
	    set_callbacks(state) || set_request(state))
		goto fail;
	if (curl_multi_add_handle(net->multi, state->easy))
		goto fail;
	net->transfers++;
	net->throttle.changes += state->is_change;
	net->moved = true;
	if (state->own_connection)
		net->connections[state->call->upload]++;
	return 0;

fail:
	curl_easy_cleanup(state->easy);
	curl_slist_free_all(state->lines);
	state->easy = NULL;
	state->lines = NULL;
	return -ENOMEM;
}

void transfer_stop(struct call_state *state)
{
	struct net *net = state->net;

	if (!state->easy)
		return;
	curl_multi_remove_handle(net->multi, state->easy);
	curl_easy_cleanup(state->easy);
	curl_slist_free_all(state->lines);
	state->easy = NULL;
	state->lines = NULL;
	net->transfers--;
	net->throttle.changes -= state->is_change;
	/* Its connection may be shut down now: the next turn finds out. */
	net->moved = net->closing = true;
	if (state->own_connection)
		net->connections[state->call->upload]--;
}

bool transfer_finish(struct call_state *state)
{
	long status = 0, version = 0;

	curl_easy_getinfo(state->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(state->easy, CURLINFO_HTTP_VERSION, &version);
	state->response.status = (int)status;
	transfer_stop(state);
	return version >= CURL_HTTP_VERSION_2_0;
}
