/*
 * Decides after each attempt, from the class of the response or the transport error, whether
 * another one follows.
 */
#include <errno.h>
#include <sodium.h>

#include "net_internal.h"
#include "sstorefs/log.h"

/* Pauses are drawn from (0, BASE * 2^n], milliseconds: full jitter, so that many don't come back at
 * once. */
#define PAUSE_BASE 200
#define PAUSE_MAX  5000

/* A refused connection or a name that can't be resolved is seldom over within a budget, and a shell
 * waits for `echo val > f`: three attempts in about 1.5 s, which bridge a service that is being
 * restarted. */
#define UNREACHABLE_ATTEMPTS 3
#define UNREACHABLE_PAUSE    500

/* For -d: each attempt and how it ended. Never a header or a body. */
static void log_attempt(const struct call_state *state, const char *message)
{
	const struct http_request *request = &state->call->request;
	struct buffer quoted = {0};

	if (*message)
		buffer_quoted(&quoted, message);
	log_line(LOG_DEBUG, "%s %.*s: attempt %u, %d, %llu ms after the call began%s%s",
		 http_method_name(request->method), (int)request->target.length,
		 request->target.length ? request->target.data : "", state->attempts,
		 state->response.status,
		 (unsigned long long)(loop_now(state->net->loop) - state->started_at),
		 quoted.length ? ": " : "", buffer_cstr(&quoted));
	buffer_finish(&quoted);
}

uint64_t net_backoff(unsigned pauses)
{
	uint64_t most = pauses < 8 ? (uint64_t)PAUSE_BASE << pauses : PAUSE_MAX;

	return 1 + randombytes_uniform((uint32_t)(most < PAUSE_MAX ? most : PAUSE_MAX));
}

/* Starts another attempt later. Nothing may follow in the caller: the owner may cancel the call. */
static void backoff_and_report(struct call_state *state, uint64_t pause)
{
	struct http_call *call = state->call;

	call_backoff(state, pause);
	if (call->on_retry)
		call->on_retry(call);
}

/* Another attempt after `pause`, or the end, with the failure that is set, if there is no time for
 * it. */
static void try_again(struct call_state *state, uint64_t pause)
{
	if (state->call->no_retry || pause >= call_time_left(state))
		call_finish(state);
	else
		backoff_and_report(state, pause);
}

/* A 503 may say for how long the service is down (RFC 9110, 10.2.3). Where that is longer than the
 * call can wait, it is tried as if nothing were said: a gateway's guess is no reason to give up. */
static void handle_indeterminate(struct call_state *state)
{
	uint64_t pause = net_backoff(state->retries++), wait = state->call->retry_after;

	state->call->indeterminate = true;
	if (wait)
		wait += throttle_spread(wait);
	if (wait > pause && wait < call_time_left(state))
		pause = wait;
	if (state->call->idempotent)
		try_again(state, pause);
	else
		call_finish(state);
}

static void handle_rejected(struct call_state *state)
{
	struct net *net = state->net;
	struct http_call *call = state->call;

	/* Nothing was carried out, so with new credentials even a create may be sent once more.
	 * Services refuse them with 401, 403 or 400: the provider can tell. */
	if ((call->failure.errnum != EACCES && call->failure.http_status != 407) ||
	    call->no_retry || state->reauth_tried || !net->options.on_unauthorized) {
		call_finish(state);
		return;
	}
	state->reauth_tried = true;
	state->in_callback = true;
	bool changed = net->options.on_unauthorized(net->options.context);

	state->in_callback = false;
	if (!state->call)
		call_state_free(state);
	else if (changed)
		call_backoff(state, 0);
	else
		call_finish(state);
}

static void handle_retry(struct call_state *state)
{
	struct http_call *call = state->call;
	/* Twice that of an error of the server: too many calls are the cause. */
	uint64_t pause = 2 * net_backoff(state->retries++), wait = call->retry_after;
	int status = call->failure.http_status;

	if (!call->failure.errnum)
		call->failure.errnum = EAGAIN;
	/* Until then no other call is sent either. */
	if (wait && (status == 429 || status == 403)) {
		state->ignore_for_health = true;
		throttle_refuse(state->net, state->is_change, wait);
		wait += throttle_spread(wait);
	}
	try_again(state, pause > wait ? pause : wait);
}

static void handle_response(struct call_state *state)
{
	static void (*const follow[])(struct call_state *) = {
		[RESPONSE_OK] = call_finish,
		[RESPONSE_REJECTED] = handle_rejected,
		[RESPONSE_RETRY] = handle_retry,
		[RESPONSE_INDETERMINATE] = handle_indeterminate,
	};
	struct net *net = state->net;
	struct http_call *call = state->call;

	call->failure = (struct failure){0};
	call->retry_after = 0;
	state->in_callback = true;
	net->in_callback = state;
	enum response_class class = call->on_response(call, &state->response);

	net->in_callback = NULL;
	state->in_callback = false;
	if (!state->call) {
		call_state_free(state);
		return;
	}
	/* Some services answer 403 to a client that is too fast. */
	if (state->response.status == 429 ||
	    (state->response.status == 403 && class == RESPONSE_RETRY))
		net->counts.rate_limited++;
	if (call->failure.errnum && !call->failure.http_status)
		call->failure.http_status = state->response.status;
	http_response_free(&state->response);
	state->last_response = call->failure;
	state->ignore_for_health = false;
	if (class == RESPONSE_OK)
		call->failure.errnum = 0;
	if (class != RESPONSE_INDETERMINATE)
		health_response(net, state->is_change);
	follow[class](state);
}

/* Drawn around what is longer each time: an outage ends for all clients at the same moment. */
static uint64_t unreachable_pause(const struct call_state *state)
{
	uint64_t pause = (uint64_t)UNREACHABLE_PAUSE * state->connect_failures;

	return pause * 3 / 4 + randombytes_uniform((uint32_t)pause / 2);
}

/* A file that is being replaced may be whole in a moment. */
void handle_not_begun(struct call_state *state)
{
	if (++state->connect_failures < UNREACHABLE_ATTEMPTS)
		try_again(state, unreachable_pause(state));
	else
		call_finish(state);
}

static void handle_transport_error(struct call_state *state, CURLcode code)
{
	struct http_call *call = state->call;

	call->failure = (struct failure){0};
	enum curl_error_kind kind = curl_error_describe(state, code);

	transfer_finish(state);
	log_attempt(state, call->failure.message);
	http_response_free(&state->response);
	/* A request that left may have been carried out, whatever became of the response. */
	call->indeterminate = call->indeterminate || state->times_sent;
	if (call->failure.http_status == 407) /* of the proxy */
		handle_rejected(state);
	else if (kind == CURL_ERROR_PERMANENT || (call->indeterminate && !call->idempotent))
		call_finish(state);
	else if (kind == CURL_ERROR_TRANSIENT)
		try_again(state, net_backoff(state->retries++));
	else if (++state->connect_failures < UNREACHABLE_ATTEMPTS)
		try_again(state, unreachable_pause(state));
	else
		call_finish(state);
}

void handle_transfer_end(struct call_state *state, CURLcode code)
{
	struct net *net = state->net;

	timer_stop(net->loop, &state->timer);
	if (!state->throttled)
		health_attempt(net, code == CURLE_OK);
	state->fresh_connection = false;
	if (state->throttled) {
		transfer_finish(state);
		call_run(state);
	} else if (code == CURLE_OK) {
		bool alone = !net->parts.https || state->call->request.bears_value;
		bool multiplexed = transfer_finish(state);

		if (!alone)
			net->multiplexed = multiplexed;
		log_attempt(state, "");
		handle_response(state);
	} else {
		handle_transport_error(state, code);
	}
	calls_admit(net);
}

void handle_timeout(struct call_state *state)
{
	struct net *net = state->net;
	struct http_call *call = state->call;
	bool transferred = state->phase == CALL_ACTIVE;

	call->failure = (struct failure){0};
	curl_error_describe_timeout(state);
	log_attempt(state, call->failure.message);
	state->ignore_for_health |= call->failure.errnum == EAGAIN;
	if (transferred) {
		health_attempt(net, false);
		call->indeterminate = call->indeterminate || state->times_sent;
		transfer_stop(state);
		http_response_free(&state->response);
	}
	if (transferred && loop_now(net->loop) < state->deadline) {
		/* Only this attempt's share is used up: the connection may be what hangs. */
		state->attempt_timed_out = true;
		state->fresh_connection = true;
		backoff_and_report(state, 0);
	} else {
		/* The service's last response explains more than the end of the time does. */
		if (state->last_response.errnum)
			call->failure = state->last_response;
		call_finish(state);
	}
	calls_admit(net);
}
