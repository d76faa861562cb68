/*
 * Transport failures in a user's terms: errno, words, and whether another attempt is worth while. What
 * answers mean is the judges'.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "net_internal.h"

/* What can go wrong before a request has left. All else passes: it is tried again to the budget's end. */
static const struct trouble {
	CURLcode code;
	enum trouble_kind kind;
	int error;
	const char *before, *after; /* the host's name in a sentence */
} troubles[] = {
	{CURLE_COULDNT_RESOLVE_HOST, TROUBLE_UNREACHABLE, EHOSTUNREACH, "the host name ",
	 " can't be resolved"},
	{CURLE_COULDNT_RESOLVE_PROXY, TROUBLE_UNREACHABLE, EHOSTUNREACH, "the proxy for ",
	 " can't be resolved"},
	{CURLE_PROXY, TROUBLE_UNREACHABLE, EHOSTUNREACH, "the proxy does not connect to ", ""},
	{CURLE_SSL_CONNECT_ERROR, TROUBLE_UNREACHABLE, EHOSTUNREACH, "no TLS connection to ", ""},
	{CURLE_PEER_FAILED_VERIFICATION, TROUBLE_FINAL, EKEYREJECTED, "the certificate of ", " was refused"},
	{CURLE_SSL_ISSUER_ERROR, TROUBLE_FINAL, EKEYREJECTED, "the certificate of ", " was refused"},
	{CURLE_SSL_INVALIDCERTSTATUS, TROUBLE_FINAL, EKEYREJECTED, "the certificate of ", " was refused"},
	{CURLE_SSL_CACERT_BADFILE, TROUBLE_FINAL, EKEYREJECTED, "the certificate of ", " can't be checked"},
	{CURLE_SSL_CERTPROBLEM, TROUBLE_FINAL, EKEYREJECTED, "no TLS connection to ", ""},
	{CURLE_SSL_CIPHER, TROUBLE_FINAL, EKEYREJECTED, "no TLS connection to ", ""},
	{CURLE_URL_MALFORMAT, TROUBLE_FINAL, EINVAL, "no valid request to ", ""},
	{CURLE_OUT_OF_MEMORY, TROUBLE_FINAL, ENOMEM, "no memory for a request to ", ""},
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

static const char *curl_words(const struct exchange *exchange, CURLcode code)
{
	return exchange->error[0] ? exchange->error : curl_easy_strerror(code);
}

static enum trouble_kind tell_overflow(const struct exchange *exchange)
{
	struct failure *failure = &exchange->call->failure;

	if (exchange->overflow == OVERFLOW_MEMORY)
		failure_set(failure, ENOMEM, "no memory for the answer of %s", exchange->net->host);
	else if (exchange->overflow == OVERFLOW_BODY)
		failure_set(failure, EIO, "the answer of %s is larger than %u MiB", exchange->net->host,
			    HTTP_BODY_MAX >> 20);
	else
		failure_set(failure, EIO, "the headers of the answer of %s are larger than %u KiB",
			    exchange->net->host, HTTP_HEADER_MAX >> 10);
	return TROUBLE_FINAL;
}

static enum trouble_kind tell_unsent(const struct exchange *exchange, CURLcode code)
{
	struct failure *failure = &exchange->call->failure;
	const struct net *net = exchange->net;
	long reason = 0;

	for (size_t i = 0; i < sizeof(troubles) / sizeof(*troubles); i++) {
		if (troubles[i].code != code)
			continue;
		failure_set(failure, troubles[i].error, "%s%s%s: %s", troubles[i].before, net->host,
			    troubles[i].after, curl_words(exchange, code));
		return troubles[i].kind;
	}
	curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &reason);
	failure_set(failure, code == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : EHOSTUNREACH,
		    "cannot connect to %s: %s", net->place,
		    reason ? strerror((int)reason) : curl_words(exchange, code));
	return code == CURLE_COULDNT_CONNECT ? TROUBLE_UNREACHABLE : TROUBLE_PASSING;
}

enum trouble_kind trouble_tell(struct exchange *exchange, CURLcode code)
{
	struct failure *failure = &exchange->call->failure;

	if (exchange->overflow)
		return tell_overflow(exchange);
	if (!exchange->sends)
		return tell_unsent(exchange, code);
	if (code == CURLE_ABORTED_BY_CALLBACK)
		failure_set(failure, EIO, "the connection to %s broke after the request was sent",
			    exchange->net->host);
	else
		failure_set(failure, code == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : EIO,
			    "%s gave no complete answer: %s", exchange->net->host,
			    curl_words(exchange, code));
	return TROUBLE_PASSING;
}

void trouble_tell_timeout(struct exchange *exchange)
{
	const struct net *net = exchange->net;
	struct failure *failure = &exchange->call->failure;
	char text[32];

	seconds(exchange->deadline - exchange->started_at, text);
	if (exchange->state == EXCHANGE_WAITING)
		failure_set(failure, ETIMEDOUT, "no connection to %s became free within %s", net->host, text);
	else if (exchange->sends || exchange->call->lost)
		failure_set(failure, ETIMEDOUT, "%s did not answer within %s", net->host, text);
	else
		failure_set(failure, ETIMEDOUT, "cannot connect to %s within %s", net->place, text);
}
