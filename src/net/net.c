/* The network: the endpoint, libcurl's multi handle, and its turns in the loop. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net_internal.h"
#include "sstorefs/log.h"

/* How long a closing connection may go without a turn, milliseconds. */
#define CLOSING_TURN 500

static int endpoint_read(struct net *net, struct failure *why)
{
	const char *fault;
	int failed = endpoint_parse(&net->parts, net->options.endpoint, &fault);

	if (failed == -EINVAL)
		return failure_set(why, EINVAL, "the endpoint %s", fault);
	if (!failed &&
	    asprintf(&net->host_port, "%s port %s", net->parts.host, net->parts.port) < 0)
		net->host_port = NULL, failed = -ENOMEM;
	return failed;
}

/* Reads the CA file now, so that a wrong one is no mount. */
static int trust_init(struct net *net, struct failure *why)
{
	const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);

	/* With a CA directory beside the CA file libcurl parses all of it for each connection. */
	net->cafile_only =
		net->options.cacert || (version->cainfo && !access(version->cainfo, R_OK));
	return net->options.cacert ? trust_read(net, why) : 0;
}

static bool net_is_busy(struct loop_poller *poller)
{
	const struct net *net = container_of(poller, struct net, poller);

	return net->transfers > 0 || net->closing;
}

static int extra_reserve(struct net *net, unsigned count)
{
	if (count <= net->extra_size)
		return 0;
	struct curl_waitfd *extra = reallocarray(net->extra, count, sizeof(*extra));

	if (!extra)
		return -ENOMEM;
	net->extra = extra;
	net->extra_size = count;
	return 0;
}

/*
 * Returns how long libcurl may be left alone, of the `timeout` that the loop has in mind (poll(2)'s
 * terms).
 *
 * libcurl's own timers are minded by curl_multi_poll, but two things have none. A transfer that
 * moved may have more to do at once: libcurl notes that as a timer, and curl_multi_perform can
 * forget it (7.88 when it is set within a millisecond after the call began, 8.14 too when another
 * transfer connects in the same call). What came is then in libcurl's buffers, and its socket stays
 * silent. And a connection that is shut down is closed after two seconds at the latest, but only if
 * libcurl is called then.
 */
static int net_poll_timeout(const struct net *net, int timeout)
{
	int most = net->moved ? 0 : net->closing ? CLOSING_TURN : 60000;

	return timeout < 0 || timeout > most ? most : timeout;
}

/* curl_multi_poll counts its own sockets and our descriptors in one number; an error or hang-up
 * counts as what was waited for. */
static int net_wait(struct loop_poller *poller, struct pollfd *fds, unsigned count, int timeout)
{
	struct net *net = container_of(poller, struct net, poller);
	int ready = 0, ours = 0;

	if (extra_reserve(net, count))
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++)
		net->extra[i] = (struct curl_waitfd){
			.fd = fds[i].fd,
			.events = fds[i].events & POLLOUT ? CURL_WAIT_POLLOUT : CURL_WAIT_POLLIN};
	CURLMcode code = curl_multi_poll(net->multi, net->extra, count,
					 net_poll_timeout(net, timeout), &ready);

	if (code) {
		log_line(LOG_ERR, "waiting for the network failed: %s", curl_multi_strerror(code));
		return code == CURLM_OUT_OF_MEMORY ? -ENOMEM : -EIO;
	}
	for (unsigned i = 0; i < count; i++) {
		fds[i].revents = net->extra[i].revents ? fds[i].events : 0;
		ours += fds[i].revents != 0;
	}
	net->sockets_ready = ready > ours;
	return 0;
}

/* Spares libcurl a look at every transfer when only our own descriptors were ready. */
static bool net_is_due(struct net *net)
{
	long timeout = -1;

	if (net->sockets_ready || net->moved)
		return true;
	if (net->closing && loop_now(net->loop) - net->turned_at >= CLOSING_TURN)
		return true;
	curl_multi_timeout(net->multi, &timeout);
	return timeout == 0;
}

/*
 * Whether connections without a transfer are still being shut down. From 8.10 on libcurl waits for
 * the other side's close_notify, and keeps what it last received over the connection until then.
 */
static bool connections_close(struct net *net)
{
	unsigned sockets = 0;

#if LIBCURL_VERSION_NUM >= 0x080800
	/* With transfers it counts theirs as well: then they make the network busy. */
	curl_multi_waitfds(net->multi, NULL, 0, &sockets);
#else
	(void)net;
#endif
	return sockets > 0;
}

static void net_iterate(struct loop_poller *poller)
{
	struct net *net = container_of(poller, struct net, poller);
	const CURLMsg *message;
	int running, left;

	if (!net_is_busy(poller) || !net_is_due(net))
		return;
	net->sockets_ready = net->moved = false;
	net->turned_at = loop_now(net->loop);
	CURLMcode code = curl_multi_perform(net->multi, &running);

	if (code)
		log_line(LOG_ERR, "the network failed: %s", curl_multi_strerror(code));
	while ((message = curl_multi_info_read(net->multi, &left))) {
		char *state = NULL;

		/* Read before it goes: the message lives no longer than its handle. */
		CURLcode result = message->data.result;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &state);
		handle_transfer_end((struct call_state *)(void *)state, result);
	}
	net->closing = connections_close(net);
}

static int multi_make(struct net *net)
{
	net->multi = curl_multi_init();
	net->share = curl_share_init();
	if (!net->multi || !net->share)
		return -ENOMEM;
	/* Handles are new for every attempt, and TLS sessions would go with them. */
	if (curl_share_setopt(net->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) ||
	    curl_multi_setopt(net->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX) ||
	    curl_multi_setopt(net->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_MAX) ||
	    curl_multi_setopt(net->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX))
		return -ENOMEM;
	return 0;
}

static void net_init(struct net *net, struct loop *loop, const struct net_options *options)
{
	net->loop = loop;
	net->poller =
		(struct loop_poller){.busy = net_is_busy, .wait = net_wait, .iterate = net_iterate};
	net->options = *options;
	if (!net->options.timeout)
		net->options.timeout = UINT64_MAX;
	net->throttle.rules = options->rate_rules;
	net->counts.budget_remaining = -1;
	net->service_time = TIME_UNKNOWN;
	TAILQ_INIT(&net->every);
	for (int queue = 0; queue < QUEUES; queue++)
		TAILQ_INIT(&net->waiting[queue]);
	/* Room for the credentials in use and for those that replace them. */
	locked_pool_init(&net->pool, 64 << 10);
	net->credentials.pool = net->proxy_password.pool = &net->pool;
	net->proxy = options->proxy && options->proxy->url ? options->proxy : NULL;
}

int net_new(struct net **made, struct loop *loop, const struct net_options *options,
	    struct failure *why)
{
	struct net *net = calloc(1, sizeof(*net));
	int failed;

	if (!net)
		return -ENOMEM;
	net_init(net, loop, options);
	failed = endpoint_read(net, why);
	failed = failed ? failed : trust_init(net, why);
	failed = failed ? failed : multi_make(net);
	if (failed) {
		net_free(net);
		return failed;
	}
	loop_set_poller(loop, &net->poller);
	*made = net;
	return 0;
}

void net_free(struct net *net)
{
	struct call_state *state;

	if (!net)
		return;
	/*
	 * Cancels queued calls first, or cancelling an active one would start the next queued one.
	 */
	for (int queue = 0; queue < QUEUES; queue++) {
		while ((state = TAILQ_FIRST(&net->waiting[queue])))
			call_cancel(state->call);
	}
	while ((state = TAILQ_FIRST(&net->every)))
		call_cancel(state->call);
	loop_set_poller(net->loop, NULL);
	if (net->multi)
		curl_multi_cleanup(net->multi);
	if (net->share)
		curl_share_cleanup(net->share);
	locked_free(&net->credentials);
	locked_free(&net->proxy_password);
	buffer_finish(&net->trust.certificates);
	free(net->extra);
	free(net->host_port);
	endpoint_free(&net->parts);
	free(net);
}

/* Replaces what is held by other text. Returns 1, 0 if it is the same, -ENOBUFS or -ENOMEM. */
static int replace(struct net *net, struct locked *held, const char *text, size_t length)
{
	struct locked fresh = {.pool = &net->pool};

	if (length == held->length && (!length || !memcmp(text, held->data, length)))
		return 0;
	int failed = locked_append(&fresh, text, length);

	if (failed)
		return failed;
	locked_free(held);
	*held = fresh;
	return 1;
}

int net_set_credentials(struct net *net, const char *lines, size_t length)
{
	int replaced = replace(net, &net->credentials, lines, length);

	if (replaced > 0) {
		net->unauthorized = (struct failure){0};
		throttle_forget(net);
	}
	return replaced < 0 ? replaced : 0;
}

int net_set_proxy_password(struct net *net, const char *password, size_t length)
{
	int replaced = replace(net, &net->proxy_password, password, length ? length + 1 : 0);

	return replaced < 0 ? replaced : 0;
}
