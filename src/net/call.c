/* Starts calls, queues them for a connection, delays them, and ends them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net_internal.h"
#include "sstorefs/clock.h"

/* Attempts are not cut shorter than this to leave time for another, milliseconds. */
#define SHARE_MIN 500

/* Freeing a locked body can call those that wait for memory: only when nothing of the call is
 * needed any more. */
static struct http_request call_take_request(struct http_call *call)
{
	struct http_request request = call->request;

	call->request = (struct http_request){.body.pool = request.body.pool};
	return request;
}

static void call_report(struct task *task)
{
	struct http_call *call = container_of(task, struct http_call, completion);
	struct http_request request = call_take_request(call);
	struct call_state *state = call->state;

	call->state = NULL;
	if (state)
		call_state_free(state);
	call->done(call);
	http_request_free(&request);
}

/* Takes the call out of everything that could call it back. */
static void call_unlink(struct call_state *state)
{
	struct net *net = state->net;
	struct http_call *call = state->call;

	throttle_leave_pace(state);
	timer_stop(net->loop, &state->timer);
	if (state->phase == CALL_QUEUED)
		TAILQ_REMOVE(&net->waiting[state->queue], state, queued);
	transfer_stop(state);
	if (state->phase != CALL_DONE) {
		net->counts.running--;
		net->counts.uploads -= call->upload;
	}
	state->phase = CALL_DONE;
}

void call_state_free(struct call_state *state)
{
	http_response_free(&state->response);
	TAILQ_REMOVE(&state->net->every, state, every);
	free(state);
}

/* Once an attempt may have been carried out, no later response can tell that it was not. */
static void failure_admit_loss(struct failure *failure)
{
	static const char note[] = "; an earlier attempt may have taken effect";
	size_t length = strlen(failure->message);

	if (failure->errnum == EIO || failure->errnum == ETIMEDOUT)
		return;
	failure->errnum = EIO;
	if (length + sizeof(note) <= sizeof(failure->message))
		memcpy(failure->message + length, note, sizeof(note));
}

/* A create whose response was lost is looked for next, in the time that is left: only if that fails
 * as well is the service down. */
static bool is_resolved_by_lookup(const struct call_state *state)
{
	const struct http_call *call = state->call;

	return call->indeterminate && !call->idempotent &&
	       loop_now(state->net->loop) < state->deadline;
}

void call_finish(struct call_state *state)
{
	struct net *net = state->net;
	struct http_call *call = state->call;

	call_unlink(state);
	if (!call->failure.errnum) {
		health_success(net, state->is_change);
	} else {
		net->counts.failures++;
		if (!state->ignore_for_health && !is_resolved_by_lookup(state))
			health_failure(net, state->is_change, &call->failure);
		if (call->indeterminate && !call->safe)
			failure_admit_loss(&call->failure);
	}
	task_queue(net->loop, &call->completion);
}

static void call_finish_without_memory(struct call_state *state)
{
	failure_set(&state->call->failure, ENOMEM, "no memory for a request to %s",
		    state->net->parts.host);
	call_finish(state);
}

/* Changes are sent in their order: behind the one that waits for its second, too. */
static bool waits_for_another_change(const struct call_state *state)
{
	const struct throttle *throttle = &state->net->throttle;

	return throttle->rules.one_change_at_a_time && state->is_change &&
	       (throttle->changes || throttle->paced);
}

static bool call_has_slot(const struct call_state *state)
{
	const unsigned *connections = state->net->connections;

	if (waits_for_another_change(state))
		return false;
	if (!state->own_connection)
		return true;
	if (state->call->upload && connections[1] >= CONNECTIONS_OF_UPLOADS)
		return false;
	return connections[0] + connections[1] < CONNECTIONS_MAX;
}

/* True if the attempt, as far as is known, will have a connection of its own. */
static bool call_is_alone(const struct call_state *state)
{
	const struct net *net = state->net;

	return !net->parts.https || !net->multiplexed || state->call->request.bears_value;
}

uint64_t call_time_left(const struct call_state *state)
{
	uint64_t now = loop_now(state->net->loop);

	return state->deadline > now ? state->deadline - now : 0;
}

/*
 * When to give up this attempt. One that hangs must not eat the whole budget if another one on a
 * new connection could still answer; an upload may well need all of it.
 */
static uint64_t attempt_end(const struct call_state *state)
{
	const struct http_call *call = state->call;
	uint64_t share = call_time_left(state) / 2;

	if (call->upload || !call->idempotent || call->no_retry || state->attempt_timed_out ||
	    share < SHARE_MIN)
		return state->deadline;
	return state->deadline - call_time_left(state) + share;
}

static void call_transfer(struct call_state *state)
{
	struct net *net = state->net;

	if (trust_refresh(net, &state->call->failure)) {
		handle_not_begun(state);
		return;
	}
	state->phase = CALL_ACTIVE;
	net->counts.attempts++;
	throttle_consume(net, state->is_change);
	net->counts.retries += state->attempts++ > 0;
	if (timer_start(net->loop, &state->timer, attempt_end(state)) || transfer_start(state))
		call_finish_without_memory(state);
}

static void call_queue(struct call_state *state)
{
	struct net *net = state->net;

	state->phase = CALL_QUEUED;
	state->queue = waits_for_another_change(state) ? QUEUE_CHANGES
		       : state->call->upload	       ? QUEUE_UPLOADS
						       : QUEUE_OTHERS;
	TAILQ_INSERT_TAIL(&net->waiting[state->queue], state, queued);
	if (timer_start(net->loop, &state->timer, state->deadline))
		call_finish_without_memory(state);
}

/* Waits until the rate-limit budget is filled again; fails a call whose time ends before. */
static void call_wait_for_rate_limit(struct call_state *state, uint64_t wait)
{
	uint64_t left = call_time_left(state);

	if (!state->call->no_retry && wait < left) {
		uint64_t spread = throttle_spread(wait);

		throttle_announce(state->net);
		throttle_enter_pace(state);
		call_backoff(state, wait + (spread < (left - wait) / 2 ? spread : 0));
		return;
	}
	throttle_explain(state->net, state->is_change, wait, &state->call->failure);
	state->ignore_for_health = true;
	call_finish(state);
}

void call_run(struct call_state *state)
{
	uint64_t wait = throttle_delay(state->net, state->is_change);
	bool is_refused = net_changes_refused_until(state->net) || wait >= call_time_left(state);

	throttle_leave_pace(state);
	state->own_connection = call_is_alone(state);
	if (wait && (is_refused || !waits_for_another_change(state)))
		call_wait_for_rate_limit(state, wait);
	else if (!wait && call_has_slot(state))
		call_transfer(state);
	else
		call_queue(state);
}

void call_backoff(struct call_state *state, uint64_t pause)
{
	struct net *net = state->net;

	state->phase = CALL_BACKOFF;
	if (timer_start(net->loop, &state->timer, loop_now(net->loop) + pause))
		call_finish_without_memory(state);
}

void calls_admit(struct net *net)
{
	/* Metadata first: it never waits for an upload. */
	for (int queue = 0; queue < QUEUES; queue++) {
		struct call_state *state;

		while ((state = TAILQ_FIRST(&net->waiting[queue]))) {
			state->own_connection = call_is_alone(state);
			if (!call_has_slot(state))
				break;
			TAILQ_REMOVE(&net->waiting[queue], state, queued);
			state->phase = CALL_BACKOFF;
			call_run(state);
		}
	}
}

static void call_expired(struct timer *timer)
{
	struct call_state *state = container_of(timer, struct call_state, timer);
	struct net *net = state->net;

	if (state->phase == CALL_BACKOFF && call_time_left(state)) {
		call_run(state);
		calls_admit(net);
	} else {
		handle_timeout(state);
	}
}

void call_start(struct net *net, struct http_call *call)
{
	struct call_state *state = calloc(1, sizeof(*state));
	uint64_t now = loop_now(net->loop);

	call->failure = (struct failure){0};
	call->retry_after = call->sent_at = call->times_sent = 0;
	call->indeterminate = false;
	call->state = state;
	call->completion = (struct task){.run = call_report};
	if (!state) {
		failure_set(&call->failure, ENOMEM, "no memory for a request to %s",
			    net->parts.host);
		task_queue(net->loop, &call->completion);
		return;
	}
	*state = (struct call_state){
		.net = net, .call = call, .started_at = now, .timer.expired = call_expired};
	state->is_change = call_is_change(call);
	TAILQ_INSERT_TAIL(&net->every, state, every);
	state->phase = CALL_BACKOFF;
	state->deadline = call->deadline;
	if (state->deadline > now && state->deadline - now > net->options.timeout)
		state->deadline = now + net->options.timeout;
	net->counts.running++;
	net->counts.uploads += call->upload;
	if (state->deadline > now) {
		call_run(state);
	} else {
		failure_set(&call->failure, ETIMEDOUT, "no time is left for a request to %s",
			    net->parts.host);
		state->ignore_for_health = true;
		call_finish(state);
	}
}

void call_cancel(struct http_call *call)
{
	struct call_state *state = call->state;

	if (!call_runs(call))
		return;
	task_cancel(&call->completion);
	call->state = NULL;
	if (!state) {
		http_request_free(&call->request);
		return;
	}
	struct net *net = state->net;
	struct http_request request = call_take_request(call);

	call_unlink(state);
	state->call = NULL;
	if (!state->in_callback)
		call_state_free(state);
	calls_admit(net);
	http_request_free(&request);
}

bool call_runs(const struct http_call *call)
{
	return call->state || task_is_queued(&call->completion);
}
