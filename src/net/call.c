/*
 * Where calls begin, wait for a connection or a moment, and end. One attempt is transfer.c's, what follows it
 * retry.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net_internal.h"
#include "sstorefs/clock.h"

/* Attempts are not cut shorter than this to leave time for another, milliseconds. */
#define SHARE_MIN 500

/* Giving a locked body back can call whoever waits for room: so only when nothing of the call is needed. */
static struct http_request request_take(struct call *call)
{
	struct http_request request = call->request;

	call->request = (struct http_request){.body.pool = request.body.pool};
	return request;
}

static void call_tell(struct task *task)
{
	struct call *call = container_of(task, struct call, ending);
	struct http_request request = request_take(call);
	struct exchange *exchange = call->exchange;

	call->exchange = NULL;
	if (exchange)
		exchange_free(exchange);
	call->done(call);
	http_request_finish(&request);
}

/* Takes the call out of everything that could call it back. */
static void exchange_leave(struct exchange *exchange)
{
	struct net *net = exchange->net;
	struct call *call = exchange->call;

	timer_stop(net->loop, &exchange->timer);
	if (exchange->state == EXCHANGE_WAITING)
		TAILQ_REMOVE(&net->waiting[call->upload], exchange, queued);
	transfer_stop(exchange);
	if (exchange->state != EXCHANGE_ENDING) {
		net->counts.running--;
		net->counts.uploads -= call->upload;
	}
	exchange->state = EXCHANGE_ENDING;
}

void exchange_free(struct exchange *exchange)
{
	http_answer_finish(&exchange->answer);
	TAILQ_REMOVE(&exchange->net->every, exchange, every);
	free(exchange);
}

/* Once an attempt may have been carried out, no later answer can tell that it was not. */
static void failure_admit_loss(struct failure *failure)
{
	static const char note[] = "; an earlier attempt may have taken effect";
	size_t length = strlen(failure->words);

	if (failure->error == EIO || failure->error == ETIMEDOUT)
		return;
	failure->error = EIO;
	if (length + sizeof(note) <= sizeof(failure->words))
		memcpy(failure->words + length, note, sizeof(note));
}

/* A create whose answer was lost is looked for next, in the time that is left: only if that fails as well is the service down. */
static bool is_settled_later(const struct exchange *exchange)
{
	const struct call *call = exchange->call;

	return call->lost && !call->repeatable && loop_now(exchange->net->loop) < exchange->deadline;
}

void exchange_end(struct exchange *exchange)
{
	struct net *net = exchange->net;
	struct call *call = exchange->call;

	exchange_leave(exchange);
	if (!call->failure.error) {
		health_success(net);
	} else {
		net->counts.failures++;
		if (!exchange->unmarked && !is_settled_later(exchange))
			health_failure(net, &call->failure);
		if (call->lost && !call->only_asks)
			failure_admit_loss(&call->failure);
	}
	task_queue(net->loop, &call->ending);
}

static void exchange_end_without_memory(struct exchange *exchange)
{
	failure_set(&exchange->call->failure, ENOMEM, "no memory for a request to %s", exchange->net->host);
	exchange_end(exchange);
}

static bool exchange_has_room(const struct exchange *exchange)
{
	const unsigned *connections = exchange->net->connections;

	if (!exchange->own_connection)
		return true;
	if (exchange->call->upload && connections[1] >= CONNECTIONS_OF_UPLOADS)
		return false;
	return connections[0] + connections[1] < CONNECTIONS_MAX;
}

/* Whether the attempt, as far as is known, will have its connection for itself. */
static bool exchange_is_alone(const struct exchange *exchange)
{
	const struct net *net = exchange->net;

	return !net->https || !net->multiplexed || exchange->call->request.bears_value;
}

uint64_t exchange_left(const struct exchange *exchange)
{
	uint64_t now = loop_now(exchange->net->loop);

	return exchange->deadline > now ? exchange->deadline - now : 0;
}

/*
 * When to give up this attempt. One that hangs must not eat the whole budget if another one on a new
 * connection could still answer; an upload may well need all of it.
 */
static uint64_t attempt_end(const struct exchange *exchange)
{
	const struct call *call = exchange->call;
	uint64_t share = exchange_left(exchange) / 2;

	if (call->upload || !call->repeatable || call->once || exchange->hung || share < SHARE_MIN)
		return exchange->deadline;
	return exchange->deadline - exchange_left(exchange) + share;
}

static void exchange_transfer(struct exchange *exchange)
{
	struct net *net = exchange->net;

	exchange->state = EXCHANGE_TRANSFERRING;
	net->counts.attempts++;
	health_spend(net);
	net->counts.retries += exchange->attempts++ > 0;
	if (timer_start(net->loop, &exchange->timer, attempt_end(exchange)) || transfer_start(exchange))
		exchange_end_without_memory(exchange);
}

static void exchange_queue(struct exchange *exchange)
{
	struct net *net = exchange->net;

	exchange->state = EXCHANGE_WAITING;
	TAILQ_INSERT_TAIL(&net->waiting[exchange->call->upload], exchange, queued);
	if (timer_start(net->loop, &exchange->timer, exchange->deadline))
		exchange_end_without_memory(exchange);
}

/* The budget of requests is for writes now, or used up: who can't wait so long is refused. */
static void exchange_wait_for_budget(struct exchange *exchange, uint64_t wait)
{
	struct failure *failure = &exchange->call->failure;
	char until[TIME_TEXT_SIZE];

	if (!exchange->call->once && wait < exchange_left(exchange)) {
		exchange_pause(exchange, wait);
		return;
	}
	time_format(clock_wall() + (wall_time)(wait / 1000 + 1) * NANOSECONDS, until);
	failure_set(failure, EAGAIN,
		    exchange->net->counts.budget_remaining > 0
			    ? "the rate-limit budget is nearly used up: the rest is kept for writes until %s"
			    : "the rate-limit budget is used up until %s",
		    until);
	exchange->unmarked = true;
	exchange_end(exchange);
}

void exchange_proceed(struct exchange *exchange)
{
	uint64_t wait = health_budget_wait(exchange->net, exchange->call);

	exchange->own_connection = exchange_is_alone(exchange);
	if (wait)
		exchange_wait_for_budget(exchange, wait);
	else if (exchange_has_room(exchange))
		exchange_transfer(exchange);
	else
		exchange_queue(exchange);
}

void exchange_pause(struct exchange *exchange, uint64_t pause)
{
	struct net *net = exchange->net;

	exchange->state = EXCHANGE_PAUSING;
	if (timer_start(net->loop, &exchange->timer, loop_now(net->loop) + pause))
		exchange_end_without_memory(exchange);
}

void exchanges_admit(struct net *net)
{
	/* Metadata first: it never waits for an upload. */
	for (int upload = 0; upload <= 1; upload++) {
		struct exchange *exchange;

		while ((exchange = TAILQ_FIRST(&net->waiting[upload]))) {
			exchange->own_connection = exchange_is_alone(exchange);
			if (!exchange_has_room(exchange))
				break;
			TAILQ_REMOVE(&net->waiting[upload], exchange, queued);
			exchange_transfer(exchange);
		}
	}
}

static void exchange_expired(struct timer *timer)
{
	struct exchange *exchange = container_of(timer, struct exchange, timer);

	if (exchange->state == EXCHANGE_PAUSING && exchange_left(exchange))
		exchange_proceed(exchange);
	else
		outcome_of_timeout(exchange);
}

void call_start(struct net *net, struct call *call)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	uint64_t now = loop_now(net->loop);

	call->failure = (struct failure){0};
	call->wait = call->sent_at = call->sends = 0;
	call->lost = false;
	call->exchange = exchange;
	call->ending = (struct task){.run = call_tell};
	if (!exchange) {
		failure_set(&call->failure, ENOMEM, "no memory for a request to %s", net->host);
		task_queue(net->loop, &call->ending);
		return;
	}
	*exchange = (struct exchange){
		.net = net, .call = call, .started_at = now, .timer.expired = exchange_expired};
	TAILQ_INSERT_TAIL(&net->every, exchange, every);
	exchange->state = EXCHANGE_PAUSING;
	exchange->deadline = call->deadline;
	if (exchange->deadline > now && exchange->deadline - now > net->timeout)
		exchange->deadline = now + net->timeout;
	net->counts.running++;
	net->counts.uploads += call->upload;
	if (exchange->deadline > now) {
		exchange_proceed(exchange);
	} else {
		failure_set(&call->failure, ETIMEDOUT, "no time is left for a request to %s", net->host);
		exchange->unmarked = true;
		exchange_end(exchange);
	}
}

void call_cancel(struct call *call)
{
	struct exchange *exchange = call->exchange;

	if (!call_runs(call))
		return;
	task_cancel(&call->ending);
	call->exchange = NULL;
	if (!exchange) {
		http_request_finish(&call->request);
		return;
	}
	struct net *net = exchange->net;
	struct http_request request = request_take(call);

	exchange_leave(exchange);
	exchange->call = NULL;
	if (!exchange->judging)
		exchange_free(exchange);
	exchanges_admit(net);
	http_request_finish(&request);
}

bool call_runs(const struct call *call)
{
	return call->exchange || call->ending.link;
}
