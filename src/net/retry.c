/*
 * What follows an attempt: the judge's verdict or a transport failure becomes another attempt or the end.
 * How an attempt is made is transfer.c's. Rules: DESIGN 3.13 and 5.
 */
#include <errno.h>
#include <sodium.h>

#include "net_internal.h"
#include "sstorefs/log.h"

/* Pauses are drawn from (0, BASE * 2^n], milliseconds: full jitter, so that many don't come back at once. */
#define PAUSE_BASE 200
#define PAUSE_MAX  5000

/*
 * A refused connection or a name that can't be resolved is seldom over within a budget, and somebody waits
 * for `echo val > f` to tell: three attempts in about 1.5 s, which bridge a service that is being restarted.
 */
#define UNREACHABLE_ATTEMPTS 3
#define UNREACHABLE_PAUSE    500

/* For -d: each attempt and how it ended. Never a header or a body. */
static void log_attempt(const struct exchange *exchange, const char *words)
{
	const struct http_request *request = &exchange->call->request;
	struct buffer quoted = {0};

	if (*words)
		buffer_quoted(&quoted, words);
	log_line(LOG_DEBUG, "%s %.*s: attempt %u, %d, %llu ms after the call began%s%s",
		 http_method_name(request->method), (int)request->target.length,
		 request->target.length ? request->target.data : "", exchange->attempts,
		 exchange->answer.status,
		 (unsigned long long)(loop_now(exchange->net->loop) - exchange->started_at),
		 quoted.length ? ": " : "", buffer_text(&quoted));
	buffer_finish(&quoted);
}

uint64_t net_pause(unsigned pauses)
{
	uint64_t most = pauses < 8 ? (uint64_t)PAUSE_BASE << pauses : PAUSE_MAX;

	return 1 + randombytes_uniform((uint32_t)(most < PAUSE_MAX ? most : PAUSE_MAX));
}

/* Another attempt follows. The last thing that is done with an exchange: its owner may cancel the call. */
static void pause_and_tell(struct exchange *exchange, uint64_t pause)
{
	struct call *call = exchange->call;

	exchange_pause(exchange, pause);
	if (call->tried)
		call->tried(call);
}

/* Another attempt after `pause`, or the end, with the failure that is set, if there is no time for it. */
static void try_again(struct exchange *exchange, uint64_t pause)
{
	if (exchange->call->once || pause >= exchange_left(exchange))
		exchange_end(exchange);
	else
		pause_and_tell(exchange, pause);
}

static void outcome_lost(struct exchange *exchange)
{
	exchange->call->lost = true;
	if (exchange->call->repeatable)
		try_again(exchange, net_pause(exchange->pauses++));
	else
		exchange_end(exchange);
}

static void outcome_failed(struct exchange *exchange)
{
	struct net *net = exchange->net;
	struct call *call = exchange->call;

	/* Nothing was carried out, so with new credentials even a create may be sent once more. */
	if (call->failure.status != 401 || call->once || exchange->asked || !net->refused) {
		exchange_end(exchange);
		return;
	}
	exchange->asked = true;
	exchange->judging = true;
	bool changed = net->refused(net->context);

	exchange->judging = false;
	if (!exchange->call)
		exchange_free(exchange);
	else if (changed)
		exchange_pause(exchange, 0);
	else
		exchange_end(exchange);
}

static void outcome_again(struct exchange *exchange)
{
	struct call *call = exchange->call;
	uint64_t pause = net_pause(exchange->pauses++);

	if (!call->failure.error)
		call->failure.error = EAGAIN;
	try_again(exchange, pause > call->wait ? pause : call->wait);
}

static void outcome_of_answer(struct exchange *exchange)
{
	static void (*const follow[])(struct exchange *) = {
		[VERDICT_DONE] = exchange_end,
		[VERDICT_FAILED] = outcome_failed,
		[VERDICT_AGAIN] = outcome_again,
		[VERDICT_UNREADABLE] = outcome_lost,
	};
	struct net *net = exchange->net;
	struct call *call = exchange->call;

	call->failure = (struct failure){0};
	call->wait = 0;
	exchange->judging = true;
	net->judged = exchange;
	enum verdict verdict = call->judge(call, &exchange->answer);

	net->judged = NULL;
	exchange->judging = false;
	if (!exchange->call) {
		exchange_free(exchange);
		return;
	}
	if (call->failure.error && !call->failure.status)
		call->failure.status = exchange->answer.status;
	http_answer_finish(&exchange->answer);
	exchange->said = call->failure;
	if (verdict == VERDICT_DONE)
		call->failure.error = 0;
	if (verdict != VERDICT_UNREADABLE)
		health_answer(net);
	follow[verdict](exchange);
}

static void outcome_of_trouble(struct exchange *exchange, CURLcode code)
{
	struct call *call = exchange->call;

	call->failure = (struct failure){0};
	enum trouble_kind kind = trouble_tell(exchange, code);

	transfer_finish(exchange);
	log_attempt(exchange, call->failure.words);
	http_answer_finish(&exchange->answer);
	/* A request that left may have been carried out, whatever became of the answer. */
	call->lost = call->lost || exchange->sends;
	if (kind == TROUBLE_FINAL || (call->lost && !call->repeatable))
		exchange_end(exchange);
	else if (kind == TROUBLE_PASSING)
		try_again(exchange, net_pause(exchange->pauses++));
	else if (++exchange->unreachable < UNREACHABLE_ATTEMPTS)
		try_again(exchange, UNREACHABLE_PAUSE * exchange->unreachable);
	else
		exchange_end(exchange);
}

void outcome_of_transfer(struct exchange *exchange, CURLcode code)
{
	struct net *net = exchange->net;

	timer_stop(net->loop, &exchange->timer);
	health_attempt(net, code == CURLE_OK);
	exchange->fresh = false;
	if (code == CURLE_OK) {
		bool alone = !net->https || exchange->call->request.bears_value;
		bool multiplexed = transfer_finish(exchange);

		if (!alone)
			net->multiplexed = multiplexed;
		log_attempt(exchange, "");
		outcome_of_answer(exchange);
	} else {
		outcome_of_trouble(exchange, code);
	}
	exchanges_admit(net);
}

void outcome_of_timeout(struct exchange *exchange)
{
	struct net *net = exchange->net;
	struct call *call = exchange->call;
	bool transferred = exchange->state == EXCHANGE_TRANSFERRING;

	call->failure = (struct failure){0};
	trouble_tell_timeout(exchange);
	log_attempt(exchange, call->failure.words);
	if (transferred) {
		health_attempt(net, false);
		call->lost = call->lost || exchange->sends;
		transfer_stop(exchange);
		http_answer_finish(&exchange->answer);
	}
	if (transferred && loop_now(net->loop) < exchange->deadline) {
		/* Only this attempt's share is used up: the connection may be what hangs. */
		exchange->hung = true;
		exchange->fresh = true;
		pause_and_tell(exchange, 0);
	} else {
		/* What the service said before its time was up explains more than that its time was up. */
		if (exchange->said.error)
			call->failure = exchange->said;
		exchange_end(exchange);
	}
	exchanges_admit(net);
}
