/* Tracks the service's health: up or down, token accepted or not, counters. */
#include <errno.h>

#include "net_internal.h"
#include "sstorefs/clock.h"

void health_attempt(struct net *net, bool responded)
{
	net->counts.reachable = responded;
}

void net_set_service_time(struct net *net, wall_time_ns time)
{
	net->service_time = time;
	net->service_time_at = loop_now(net->loop);
}

/* Reads that are not metered say nothing of changes that are refused for their number. */
static void end_down(struct net *net, bool change)
{
	if (change || !net->down_for_changes_only)
		net->down_until = 0;
}

void health_response(struct net *net, bool change)
{
	net->counts.last_response_at = loop_now(net->loop);
	net->counts.last_response_wall = clock_wall();
	net->counts.reachable = true;
	end_down(net, change);
}

void health_success(struct net *net, bool change)
{
	end_down(net, change);
	net->unauthorized = (struct failure){0};
}

void health_failure(struct net *net, bool change, const struct failure *failure)
{
	if (failure->http_status == 401) {
		net->unauthorized = *failure;
		net->unauthorized_at = loop_now(net->loop);
	}
	if (!failure_means_down(failure))
		return;
	if (failure->errnum != EAGAIN)
		net->counts.reachable = false;
	net->down = *failure;
	net->down_until = loop_now(net->loop) + DOWN_FOR;
	net->down_for_changes_only =
		failure->errnum == EAGAIN && change && net->throttle.rules.reads_unmetered;
}

static const struct failure *down_now(const struct net *net, bool change)
{
	const struct failure *refusal = throttle_refusal(net, change);

	if (refusal)
		return refusal;
	return (change || !net->down_for_changes_only) && loop_now(net->loop) < net->down_until
		       ? &net->down
		       : NULL;
}

const struct failure *net_down(const struct net *net)
{
	return down_now(net, false);
}

const struct failure *net_down_for_changes(const struct net *net)
{
	return down_now(net, true);
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

bool net_is_failing(const struct net *net)
{
	return !net->counts.reachable || net->unauthorized.errnum;
}

void net_renew_credentials(struct net *net)
{
	if (net->options.on_unauthorized)
		net->options.on_unauthorized(net->options.context);
}
