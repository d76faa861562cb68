/*
 * Transport errors in a user's terms: errno, message, and whether another attempt is worth while.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "net_internal.h"

/* Failures before a request has left. All others are transient: they are retried to the budget's
 * end. */
static const struct curl_error {
	CURLcode code;
	enum curl_error_kind kind;
	int error;
	const char *before, *after; /* the host or proxy in a sentence */
} curl_errors[] = {
	{CURLE_COULDNT_RESOLVE_HOST, CURL_ERROR_UNREACHABLE, EHOSTUNREACH, "the host name ",
	 " can't be resolved"},
	{CURLE_COULDNT_RESOLVE_PROXY, CURL_ERROR_UNREACHABLE, EHOSTUNREACH, "the host name of ",
	 " can't be resolved"},
	{CURLE_PROXY, CURL_ERROR_UNREACHABLE, EHOSTUNREACH, "the service can't be reached over ",
	 ""},
	{CURLE_SSL_CONNECT_ERROR, CURL_ERROR_UNREACHABLE, EHOSTUNREACH, "no TLS connection to ",
	 ""},
	{CURLE_SSL_ISSUER_ERROR, CURL_ERROR_PERMANENT, EKEYREJECTED, "the certificate of ",
	 " was refused"},
	{CURLE_SSL_INVALIDCERTSTATUS, CURL_ERROR_PERMANENT, EKEYREJECTED, "the certificate of ",
	 " was refused"},
	{CURLE_SSL_CACERT_BADFILE, CURL_ERROR_PERMANENT, EKEYREJECTED, "the certificate of ",
	 " can't be checked"},
	{CURLE_SSL_CERTPROBLEM, CURL_ERROR_PERMANENT, EKEYREJECTED, "no TLS connection to ", ""},
	{CURLE_SSL_CIPHER, CURL_ERROR_PERMANENT, EKEYREJECTED, "no TLS connection to ", ""},
	{CURLE_URL_MALFORMAT, CURL_ERROR_PERMANENT, EINVAL, "no valid request to ", ""},
	{CURLE_OUT_OF_MEMORY, CURL_ERROR_PERMANENT, ENOMEM, "no memory for a request to ", ""},
};

/* `30 s`, `1.5 s`. */
static const char *seconds(uint64_t milliseconds, char text[static 32])
{
	uint64_t tenths = (milliseconds + 50) / 100;

	if (tenths % 10)
		snprintf(text, 32, "%" PRIu64 ".%" PRIu64 " s", tenths / 10, tenths % 10);
	else
		snprintf(text, 32, "%" PRIu64 " s", tenths / 10);
	return text;
}

static const char *curl_message(const struct call_state *state, CURLcode code)
{
	return state->error[0] ? state->error : curl_easy_strerror(code);
}

static enum curl_error_kind describe_overflow(const struct call_state *state)
{
	struct failure *failure = &state->call->failure;

	if (state->overflow == OVERFLOW_MEMORY)
		failure_set(failure, ENOMEM, "no memory for the answer of %s",
			    state->net->parts.host);
	else if (state->overflow == OVERFLOW_BODY)
		failure_set(failure, EIO, "the answer of %s is larger than %u MiB",
			    state->net->parts.host, HTTP_BODY_MAX >> 20);
	else
		failure_set(failure, EIO, "the headers of the answer of %s are larger than %u KiB",
			    state->net->parts.host, HTTP_HEADER_MAX >> 10);
	return CURL_ERROR_PERMANENT;
}

/* The status with which the proxy answered CONNECT; 0: it did not. */
static long connect_status(const struct call_state *state)
{
	long status = 0;

	curl_easy_getinfo(state->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return status;
}

/* True if an attempt that sent no request failed at the proxy: only behind an HTTP proxy it shows
 * whether the proxy had connected to the service by then. */
static bool is_at_proxy(const struct call_state *state, CURLcode code)
{
	static const char socks[] = "socks";
	const struct proxy *proxy = state->net->proxy;

	if (!proxy || strncasecmp(proxy->url, socks, strlen(socks)) != 0)
		return proxy && connect_status(state) / 100 != 2;
	return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_PROXY ||
	       code == CURLE_PROXY;
}

static enum curl_error_kind describe_proxy_status(const struct call_state *state, long status)
{
	struct failure *failure = &state->call->failure;

	failure_set(failure, EHOSTUNREACH, "the proxy %s refuses to connect to %s: %ld%s",
		    state->net->proxy->url, state->net->host_port, status,
		    status == 407 ? " Proxy Authentication Required: check the user in proxy= and "
				    "the password in proxy_password_file="
				  : "");
	if (status == 407)
		failure->http_status = 407;
	return status / 100 == 4 && status != 408 && status != 429 ? CURL_ERROR_PERMANENT
								   : CURL_ERROR_UNREACHABLE;
}

static enum curl_error_kind describe_unsent(const struct call_state *state, CURLcode code)
{
	struct failure *failure = &state->call->failure;
	const struct net *net = state->net;
	bool at_proxy = is_at_proxy(state, code);
	const char *article = at_proxy ? "the proxy " : "";
	long reason = 0, status = connect_status(state);

	if (at_proxy && status)
		return describe_proxy_status(state, status);
	if (code == CURLE_PEER_FAILED_VERIFICATION) {
		certificate_describe(state, at_proxy, curl_message(state, code));
		return CURL_ERROR_PERMANENT;
	}
	for (size_t i = 0; i < sizeof(curl_errors) / sizeof(*curl_errors); i++) {
		if (curl_errors[i].code != code)
			continue;
		failure_set(failure, curl_errors[i].error, "%s%s%s%s: %s", curl_errors[i].before,
			    article, at_proxy ? net->proxy->url : net->parts.host,
			    curl_errors[i].after, curl_message(state, code));
		return curl_errors[i].kind;
	}
	curl_easy_getinfo(state->easy, CURLINFO_OS_ERRNO, &reason);
	failure_set(failure, code == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : EHOSTUNREACH,
		    "cannot connect to %s%s: %s", article,
		    at_proxy ? net->proxy->url : net->host_port,
		    reason ? strerror((int)reason) : curl_message(state, code));
	return code == CURLE_COULDNT_CONNECT ? CURL_ERROR_UNREACHABLE : CURL_ERROR_TRANSIENT;
}

enum curl_error_kind curl_error_describe(struct call_state *state, CURLcode code)
{
	struct failure *failure = &state->call->failure;

	if (state->overflow)
		return describe_overflow(state);
	if (!state->times_sent)
		return describe_unsent(state, code);
	if (code == CURLE_ABORTED_BY_CALLBACK)
		failure_set(failure, EIO, "the connection to %s broke after the request was sent",
			    state->net->parts.host);
	else
		failure_set(failure, code == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : EIO,
			    "%s gave no complete answer: %s", state->net->parts.host,
			    curl_message(state, code));
	return CURL_ERROR_TRANSIENT;
}

void curl_error_describe_timeout(struct call_state *state)
{
	const struct net *net = state->net;
	struct failure *failure = &state->call->failure;
	char text[32];

	seconds(state->deadline - state->started_at, text);
	if (state->phase == CALL_QUEUED && state->queue == QUEUE_CHANGES)
		failure_set(
			failure, EAGAIN,
			"other changes were before it for %s, and the service takes one at a time: make fewer at once, or raise timeout=",
			text);
	else if (state->phase == CALL_QUEUED)
		failure_set(failure, ETIMEDOUT, "no connection to %s became free within %s",
			    net->parts.host, text);
	else if (state->times_sent || state->call->indeterminate)
		failure_set(failure, ETIMEDOUT, "%s did not answer within %s", net->parts.host,
			    text);
	else if (state->easy && is_at_proxy(state, CURLE_COULDNT_CONNECT))
		failure_set(failure, ETIMEDOUT, "cannot connect to %s over the proxy %s within %s",
			    net->host_port, net->proxy->url, text);
	else
		failure_set(failure, ETIMEDOUT, "cannot connect to %s within %s", net->host_port,
			    text);
}
