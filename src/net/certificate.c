/* Explains why a certificate was refused: its time, its names, its authority. */
#include <errno.h>
#include <string.h>

#include "net_internal.h"
#include "sstorefs/clock.h"

/* Two clocks that are no further apart say the same, nanoseconds. */
#define CLOCKS_AGREE (5 * 60 * (wall_time_ns)NANOSECONDS)

/* OpenSSL's results of the verification of a certificate (openssl-verification-options(1)). */
enum {
	VERIFY_NO_ISSUER = 2,
	VERIFY_NOT_YET_VALID = 9,
	VERIFY_EXPIRED = 10,
	VERIFY_SELF_SIGNED = 18,
	VERIFY_SELF_SIGNED_CA = 19,
	VERIFY_NO_LOCAL_ISSUER = 20,
	VERIFY_NO_FIRST = 21,
};

/* Appends whether a certificate that is not valid now may be so because of this machine's clock:
 * not if that agrees with the service's. */
static void explain_time(const struct net *net, long verified, struct buffer *words)
{
	char ours[TIME_TEXT_SIZE], theirs[TIME_TEXT_SIZE];
	wall_time_ns now = clock_wall(), service = now;

	if (net->service_time != TIME_UNKNOWN)
		service = net->service_time +
			  (wall_time_ns)(loop_now(net->loop) - net->service_time_at) *
				  (NANOSECONDS / 1000);
	time_format(now, ours);
	time_format(service, theirs);
	buffer_puts(words, verified == VERIFY_EXPIRED ? "it has expired" : "it is not yet valid");
	if (now - service > CLOCKS_AGREE || service - now > CLOCKS_AGREE)
		buffer_printf(words,
			      ", but this machine's clock says %s and the service's says %s: check "
			      "the clock",
			      ours, theirs);
	else if (net->service_time == TIME_UNKNOWN)
		buffer_printf(words, ", if it is %s, as this machine's clock says: check the clock",
			      ours);
	else
		buffer_puts(words, ": the service must renew it");
}

/* Appends the names in the certificate: alternative names, or else the subject. libcurl tells them
 * of a certificate that was verified: then its names are what is wrong with it. */
static bool explain_names(CURL *easy, struct buffer *words)
{
	static const char *const fields[] = {"X509v3 Subject Alternative Name:", "Subject:"};
	struct curl_certinfo *chain = NULL;

	curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain);
	for (size_t i = 0; chain && chain->num_of_certs && i < 2; i++)
		for (struct curl_slist *line = chain->certinfo[0]; line; line = line->next)
			if (strncmp(line->data, fields[i], strlen(fields[i])) == 0) {
				buffer_printf(words, "it is for %s",
					      line->data + strlen(fields[i]));
				return true;
			}
	return false;
}

void certificate_describe(const struct call_state *state, bool of_proxy, const char *reason)
{
	const struct net *net = state->net;
	struct failure *failure = &state->call->failure;
	struct buffer words = {0};
	long verified = 0;

	curl_easy_getinfo(state->easy,
			  of_proxy ? CURLINFO_PROXY_SSL_VERIFYRESULT : CURLINFO_SSL_VERIFYRESULT,
			  &verified);
	buffer_printf(&words, "the certificate of %s%s was refused: ", of_proxy ? "the proxy " : "",
		      of_proxy ? net->proxy->url : net->parts.host);
	if (verified == VERIFY_EXPIRED || verified == VERIFY_NOT_YET_VALID)
		explain_time(net, verified, &words);
	else if (!explain_names(state->easy, &words))
		buffer_puts(&words, reason);
	if (verified == VERIFY_NO_ISSUER ||
	    (verified >= VERIFY_SELF_SIGNED && verified <= VERIFY_NO_FIRST))
		buffer_puts(&words, ": if its authority is your own, name its file with cacert=");
	failure_set(failure, EKEYREJECTED, "%s", strerror(EKEYREJECTED));
	failure_set_message(failure, buffer_cstr(&words), words.length);
	buffer_finish(&words);
}
