/* Tracks the service's health: up or down, token accepted or not, rate limit, counters. */
#include <errno.h>

#include "net_internal.h"
#include "sstorefs/clock.h"

void health_attempt(struct net *net, bool responded)
{
	net->counts.reachable = responded;
}

void health_response(struct net *net)
{
	net->counts.last_response_at = loop_now(net->loop);
	net->counts.last_response_wall = clock_wall();
	net->down_until = 0;
}

void health_success(struct net *net)
{
	net->down_until = 0;
	net->unauthorized = (struct failure){0};
}

void health_failure(struct net *net, const struct failure *failure)
{
	static const int down[] = {EIO, ETIMEDOUT, EHOSTUNREACH, EAGAIN};

	if (failure->http_status == 401) {
		net->unauthorized = *failure;
		net->unauthorized_at = loop_now(net->loop);
	}
	for (size_t i = 0; i < sizeof(down) / sizeof(*down); i++) {
		if (failure->errnum == down[i]) {
			net->down = *failure;
			net->down_until = loop_now(net->loop) + DOWN_FOR;
		}
	}
}

/* True if the rate limit allows nothing for longer than a call can wait. */
static bool is_exhausted(const struct net *net)
{
	const struct net_counts *counts = &net->counts;
	uint64_t now = loop_now(net->loop);

	return net->budget.reads_count && counts->budget_remaining <= 0 &&
	       now < counts->budget_resets_at && counts->budget_resets_at - now > net->timeout;
}

const struct failure *net_down(const struct net *net)
{
	if (is_exhausted(net))
		return &net->exhausted;
	return loop_now(net->loop) < net->down_until ? &net->down : NULL;
}

const struct failure *net_unauthorized(const struct net *net)
{
	return net->unauthorized.errnum ? &net->unauthorized : NULL;
}

uint64_t net_unauthorized_since(const struct net *net)
{
	return net->unauthorized_at;
}

const struct net_counts *net_counts(const struct net *net)
{
	return &net->counts;
}

void net_set_rate_limit(struct net *net, int64_t remaining, uint64_t resets_in_ms)
{
	struct budget *budget = &net->budget;
	int64_t unanswered = net->transfers;
	char until[TIME_TEXT_SIZE];

	if (remaining < 0)
		return;
	if (net->in_callback && net->in_callback->call &&
	    net->in_callback->call->request.method == HTTP_GET)
		budget->reads_count = true;
	if (remaining > budget->largest)
		budget->largest = remaining;
	/* Requests in flight may not be counted yet. */
	if (budget->reads_count)
		remaining = remaining > unanswered ? remaining - unanswered : 0;
	net->counts.budget_remaining = remaining;
	net->counts.budget_resets_at = loop_now(net->loop) + resets_in_ms;
	time_format(clock_wall() + (wall_time_ns)(resets_in_ms / 1000 + 1) * NANOSECONDS, until);
	failure_set(&net->exhausted, EAGAIN, "the rate-limit budget is used up until %s", until);
}

void rate_limit_consume(struct net *net)
{
	if (net->budget.reads_count && net->counts.budget_remaining > 0)
		net->counts.budget_remaining--;
}

/* While less than a tenth of the largest budget seen is left, reads wait until it is filled again:
 * the rest is for writes, which wait when nothing is left, for asking all the same can lead to a
 * long lockout. Not where the service tells the budget with writes only: there reads are free and a
 * rejection costs nothing. */
uint64_t rate_limit_delay(const struct net *net, const struct http_call *call)
{
	const struct net_counts *counts = &net->counts;
	bool writes = call->upload || call->request.method != HTTP_GET;
	int64_t needed = writes ? 1 : net->budget.largest / 10;
	uint64_t now = loop_now(net->loop);

	if (!net->budget.reads_count || now >= counts->budget_resets_at)
		return 0;
	if (counts->budget_remaining >= (needed > 1 ? needed : 1))
		return 0;
	return counts->budget_resets_at - now;
}
