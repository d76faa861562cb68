/*
 * Finding out about a name: from memory, by one call, or by waiting for a walk. Which of them is decided here.
 */
#include <errno.h>
#include <string.h>

#include "catalog.h"

static void ask(struct lookup *lookup);

static void lookup_end(struct lookup *lookup)
{
	wait_end(&lookup->wait);
	timer_stop(lookup->listing->catalog->loop, &lookup->timer);
	lookup->find = NULL;
	lookup->done(lookup);
}

static void end_absent(struct lookup *lookup)
{
	failure_set(&lookup->failure, ENOENT, "there is no %s of this name",
		    lookup->listing->store ? "secret" : "store");
	lookup_end(lookup);
}

static void end_without_memory(struct lookup *lookup)
{
	failure_set(&lookup->failure, ENOMEM, "out of memory");
	lookup_end(lookup);
}

static void end_as(struct lookup *lookup, enum known known)
{
	if (known == KNOWN_PRESENT)
		lookup_end(lookup);
	else
		end_absent(lookup);
}

/* Ends the lookup if memory now knows the name well enough. */
static bool end_if_known(struct lookup *lookup)
{
	enum known known = listing_known(lookup->listing, lookup->name, &lookup->record);

	if (known == KNOWN_NOT)
		return false;
	end_as(lookup, known);
	return true;
}

/* The service can't be asked: what was known before will do, if anything was. */
static bool end_if_remembered(struct lookup *lookup)
{
	enum known known = KNOWN_NOT;

	if (!lookup->again)
		known = listing_remembered(lookup->listing, lookup->name, &lookup->record);
	if (known == KNOWN_NOT)
		return false;
	end_as(lookup, known);
	return true;
}

static void end_failed(struct lookup *lookup, const struct failure *failure)
{
	if (end_if_remembered(lookup))
		return;
	lookup->failure = *failure;
	lookup_end(lookup);
}

static void timed_out(struct timer *timer)
{
	struct lookup *lookup = container_of(timer, struct lookup, timer);
	struct failure failure = {0};

	failure_set(&failure, ETIMEDOUT, "no answer about %s in time", lookup->name);
	end_failed(lookup, &failure);
}

/* --- a call for the one name ------------------------------------------------------------------------------------------------ */

/* What the call told stands in memory, and is the answer however soon it may count as old. */
static void end_as_told(struct lookup *lookup)
{
	if (listing_remembered(lookup->listing, lookup->name, &lookup->record) == KNOWN_PRESENT)
		lookup_end(lookup);
	else
		end_absent(lookup);
}

static void find_woken(struct wait *wait)
{
	struct lookup *lookup = container_of(wait, struct lookup, wait);
	struct find *find = lookup->find;
	const struct failure *failure = find_failure(find);

	if (!find_has_ended(find)) {
		if (!end_if_remembered(lookup))
			wait_begin(find_waits(find), wait);
		return;
	}
	lookup->find = NULL;
	if (failure->error && failure->error != ENOENT)
		end_failed(lookup, failure);
	else if (!find_is_overtaken(find))
		end_as_told(lookup);
	else if (!end_if_known(lookup))
		ask(lookup); /* our own change came between, and nobody knows how it went */
}

static void wait_for_find(struct lookup *lookup)
{
	struct listing *listing = lookup->listing;

	lookup->find = find_start(listing, lookup->name, lookup->again, lookup->deadline);
	if (!lookup->find) {
		end_without_memory(lookup);
		return;
	}
	lookup->wait.woken = find_woken;
	wait_begin(find_waits(lookup->find), &lookup->wait);
}

/* --- the walk --------------------------------------------------------------------------------------------------------------- */

/* Whether what the running walk brings is an answer to this question, and not to an older one. */
static bool walk_counts(const struct lookup *lookup)
{
	const struct listing *listing = lookup->listing;

	return listing->walk->number > lookup->not_before && !listing->filling->outdated;
}

/* During a walk, single calls: for as many as pages came, lest a storm of them cost more than the walk. */
static bool may_ask_alone(const struct lookup *lookup)
{
	const struct listing *listing = lookup->listing;
	uint64_t most = SINGLE_CALLS_MAX + (listing->walk ? listing->walk->done : 0);

	return find_is_exact(listing, lookup->name) &&
	       (listing->misses < most || find_is_free(listing, lookup->name));
}

static void walk_goes_on(struct lookup *lookup)
{
	struct listing *listing = lookup->listing;
	const struct record *record =
		walk_counts(lookup) ? snapshot_find(listing->filling, lookup->name) : NULL;

	if (record && !record->gone && !record->doubted && !record_is_past_expiry(listing->catalog, record)) {
		lookup->record = record;
		lookup_end(lookup);
	} else if (listing_has_trouble(listing) && end_if_remembered(lookup)) {
		return;
	} else if (may_ask_alone(lookup)) {
		wait_for_find(lookup);
	} else {
		wait_begin(&listing->filling->waits, &lookup->wait);
	}
}

/* The walk is whole; but all may have been forgotten while it ran. */
static void walk_was_whole(struct lookup *lookup)
{
	struct listing *listing = lookup->listing;
	enum known known;

	if (listing->expired && !lookup->again)
		known = listing_known(listing, lookup->name, &lookup->record);
	else
		known = listing_remembered(listing, lookup->name, &lookup->record);
	if (known == KNOWN_NOT)
		ask(lookup);
	else
		end_as(lookup, known);
}

/* A page of the walk came, or an attempt to get one failed, or it has ended. */
static void walk_woken(struct wait *wait)
{
	struct lookup *lookup = container_of(wait, struct lookup, wait);
	struct listing *listing = lookup->listing;

	if (listing->walk && listing->walk->number == lookup->walk)
		walk_goes_on(lookup);
	else if (lookup->walk <= lookup->not_before)
		ask(lookup);
	else if (listing->last_failure.error)
		end_failed(lookup, &listing->last_failure);
	else
		walk_was_whole(lookup);
}

static void wait_for_walk(struct lookup *lookup)
{
	struct listing *listing = lookup->listing;

	if (walk_begin(listing)) {
		end_without_memory(lookup);
		return;
	}
	lookup->walk = listing->walk->number;
	lookup->wait.woken = walk_woken;
	wait_begin(&listing->filling->waits, &lookup->wait);
}

/* --- which of them ---------------------------------------------------------------------------------------------------------- */

static void ask(struct lookup *lookup)
{
	struct listing *listing = lookup->listing;
	bool can_walk = listing->walk || listing_can_afford_walk(listing);

	if ((lookup->again && find_is_possible(listing)) || may_ask_alone(lookup) ||
	    (!can_walk && find_is_possible(listing))) {
		wait_for_find(lookup);
	} else if (!can_walk && listing->last_failure.error) {
		end_failed(lookup, &listing->last_failure);
	} else {
		wait_for_walk(lookup);
	}
}

void lookup_start(struct listing *listing, struct lookup *lookup)
{
	const struct provider *provider = listing->catalog->options.provider;

	lookup->listing = listing;
	lookup->record = NULL;
	lookup->failure = (struct failure){0};
	lookup->timer = (struct timer){.expired = timed_out};
	lookup->not_before = lookup->again ? listing->catalog->last_walk : 0;
	if (!lookup->again && end_if_known(lookup))
		return;
	if (listing->store && !provider->lists_strange_names && !provider->name_is_valid(lookup->name)) {
		end_absent(lookup);
		return;
	}
	listing->catalog->counts.misses++;
	if (timer_start(listing->catalog->loop, &lookup->timer, lookup->deadline))
		end_without_memory(lookup);
	else
		ask(lookup);
}

void lookup_cancel(struct lookup *lookup)
{
	if (!lookup->listing)
		return;
	wait_end(&lookup->wait);
	timer_stop(lookup->listing->catalog->loop, &lookup->timer);
	lookup->find = NULL;
}
