/*
 * Rate limits: when the next call may be sent. It follows what responses say (a refusal until a
 * known moment, a budget that is used up) and the service's rules for clients (struct rate_rules).
 */
#include <errno.h>
#include <sodium.h>

#include "net_internal.h"
#include "sstorefs/clock.h"

/* Calls that wait for the same moment are spread over a tenth of the wait that they had, within
 * these bounds, milliseconds: all clients of an account learn the same moment. */
#define SPREAD_MIN 250
#define SPREAD_MAX 10000

static bool is_metered(const struct net *net, bool change)
{
	return change || !net->throttle.rules.reads_unmetered;
}

/* Returns the moment if it is still to come; else 0. */
static uint64_t if_ahead(const struct net *net, uint64_t moment)
{
	return moment > loop_now(net->loop) ? moment : 0;
}

uint64_t throttle_refused_until(const struct net *net, bool change)
{
	return if_ahead(net, net->throttle.refused_until[change]);
}

/* Returns until when nothing of the kind is sent, CLOCK_BOOTTIME; 0: it is. */
static uint64_t used_up_until(const struct net *net, bool change)
{
	const struct net_counts *counts = &net->counts;
	uint64_t until = throttle_refused_until(net, change);

	if (is_metered(net, change) && counts->budget_remaining == 0 &&
	    counts->budget_resets_at > until)
		until = if_ahead(net, counts->budget_resets_at);
	return until;
}

uint64_t net_changes_refused_until(const struct net *net)
{
	return used_up_until(net, true);
}

const struct failure *throttle_refusal(const struct net *net, bool change)
{
	uint64_t until = used_up_until(net, change);

	return until && until - loop_now(net->loop) > net->options.timeout ? &net->throttle.refusal
									   : NULL;
}

static void explain(struct failure *failure, const char *what, uint64_t wait)
{
	char until[TIME_TEXT_SIZE];

	time_format(clock_wall() + (wall_time_ns)(wait / 1000 + 1) * NANOSECONDS, until);
	failure_set(failure, EAGAIN, "the %s until %s", what, until);
}

static const char used_up[] = "rate-limit budget is used up";

void throttle_explain(const struct net *net, bool change, uint64_t wait, struct failure *failure)
{
	if (used_up_until(net, change))
		*failure = net->throttle.refusal;
	else if (change || net->counts.budget_remaining < 0)
		explain(failure, "rate-limit budget is used up by this mount's own calls", wait);
	else
		explain(failure, "rate-limit budget is nearly used up: the rest is kept for writes",
			wait);
}

void net_set_rate_limit(struct net *net, int64_t remaining, uint64_t resets_in_ms)
{
	const struct http_call *call = net->in_callback ? net->in_callback->call : NULL;
	struct throttle *throttle = &net->throttle;
	int64_t unanswered = net->transfers;

	if (remaining < 0 || (call && !is_metered(net, call_is_change(call))))
		return;
	if (remaining > throttle->largest)
		throttle->largest = remaining;
	/* Requests in flight may not be counted yet. Where only changes are metered, one too many
	 * costs nothing, and one too few would be refused here for up to an hour. */
	if (throttle->rules.reads_unmetered)
		unanswered = 0;
	net->counts.budget_remaining = remaining > unanswered ? remaining - unanswered : 0;
	net->counts.budget_resets_at = loop_now(net->loop) + resets_in_ms;
	if (net->counts.budget_resets_at > throttle->refused_until[1])
		explain(&throttle->refusal, used_up, resets_in_ms);
}

void throttle_announce(struct net *net)
{
	struct throttle *throttle = &net->throttle;
	uint64_t until = used_up_until(net, true);

	if (until <= throttle->announced + SPREAD_MIN)
		return;
	throttle->announced = until;
	if (net->options.on_rate_limited)
		net->options.on_rate_limited(net->options.context, &throttle->refusal);
}

void throttle_refuse(struct net *net, bool change, uint64_t wait)
{
	uint64_t until = loop_now(net->loop) + wait, *known = net->throttle.refused_until;

	for (int kind = 0; kind <= 1; kind++)
		if ((kind == change || is_metered(net, kind)) && until > known[kind])
			known[kind] = until;
	/* Beside the budget a service may have other limits. */
	explain(&net->throttle.refusal,
		net->counts.budget_remaining > 0 ? "service asks for a pause, and is sent nothing"
						 : used_up,
		wait);
	throttle_announce(net);
}

void throttle_forget(struct net *net)
{
	struct throttle *throttle = &net->throttle;

	throttle->refused_until[0] = throttle->refused_until[1] = 0;
	throttle->largest = 0;
	net->counts.budget_remaining = -1;
	net->counts.budget_resets_at = 0;
}

static unsigned points_of(const struct rate_rules *rules, bool change)
{
	return change ? rules->points_of_change : rules->points_of_read;
}

void throttle_consume(struct net *net, bool change)
{
	uint64_t second = loop_now(net->loop) / 1000;
	struct sent *sent = &net->throttle.sent[second % THROTTLE_SECONDS];

	if (is_metered(net, change) && net->counts.budget_remaining > 0)
		net->counts.budget_remaining--;
	if (sent->second != second)
		*sent = (struct sent){.second = second};
	sent->changes += change;
	sent->points += points_of(&net->throttle.rules, change);
}

/* Returns how long the rules for any minute ask to wait, milliseconds. */
static uint64_t minute_delay(const struct net *net, bool change)
{
	const struct rate_rules *rules = &net->throttle.rules;
	uint64_t now = loop_now(net->loop), second = now / 1000;
	unsigned changes = change, points = points_of(rules, change);
	const struct sent *last = &net->throttle.sent[second % THROTTLE_SECONDS];

	if (!rules->changes_a_minute && !rules->points_a_minute)
		return 0;
	for (unsigned age = 0; age < THROTTLE_SECONDS && age <= second; age++) {
		const struct sent *sent = &net->throttle.sent[(second - age) % THROTTLE_SECONDS];

		if (sent->second != second - age)
			continue;
		changes += sent->changes;
		points += sent->points;
		/* One call more fits when this second is out of the minute. */
		if ((change && rules->changes_a_minute && changes > rules->changes_a_minute) ||
		    (rules->points_a_minute && points > rules->points_a_minute))
			return (uint64_t)(THROTTLE_SECONDS - age) * 1000 - now % 1000;
	}
	if (change && rules->unpaced_changes && changes > rules->unpaced_changes &&
	    last->second == second && last->changes > 0)
		return 1000 - now % 1000;
	return 0;
}

/*
 * While less than a tenth of the largest budget seen is left, metered reads wait until it is filled
 * again: the rest is for changes, which wait when nothing is left. To ask all the same would bring
 * a refusal, and can lead to a long lockout.
 */
uint64_t throttle_delay(const struct net *net, bool change)
{
	const struct net_counts *counts = &net->counts;
	uint64_t now = loop_now(net->loop), until = used_up_until(net, change);
	int64_t reserve = change ? 0 : net->throttle.largest / 10;

	if (is_metered(net, change) && counts->budget_remaining >= 0 &&
	    counts->budget_remaining < reserve && counts->budget_resets_at > until)
		until = counts->budget_resets_at;
	return until > now ? until - now : minute_delay(net, change);
}

void throttle_enter_pace(const struct call_state *state)
{
	struct throttle *throttle = &state->net->throttle;

	if (throttle->rules.one_change_at_a_time && state->is_change &&
	    !used_up_until(state->net, true))
		throttle->paced = state;
}

void throttle_leave_pace(const struct call_state *state)
{
	struct throttle *throttle = &state->net->throttle;

	if (throttle->paced == state)
		throttle->paced = NULL;
}

uint64_t throttle_spread(uint64_t wait)
{
	uint64_t spread = wait / 10 > SPREAD_MIN ? wait / 10 : SPREAD_MIN;

	return randombytes_uniform((uint32_t)(spread < SPREAD_MAX ? spread : SPREAD_MAX));
}
