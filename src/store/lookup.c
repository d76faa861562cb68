/*
 * Finding out about a name: from memory, by one call, or by waiting for a walk. Which of them is decided here.
 */
#include <errno.h>
#include <string.h>

#include "catalog.h"

#define SINGLE_CALLS_MAX 3 /* names asked for one by one before the whole listing is the cheaper question */

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

static void timed_out(struct timer *timer)
{
	struct lookup *lookup = container_of(timer, struct lookup, timer);

	failure_set(&lookup->failure, ETIMEDOUT, "no answer about %s in time", lookup->name);
	lookup_end(lookup);
}

/* Ends the lookup if memory now knows the name. */
static bool end_if_known(struct lookup *lookup)
{
	switch (listing_known(lookup->listing, lookup->name, &lookup->record)) {
	case KNOWN_PRESENT:
		lookup_end(lookup);
		return true;
	case KNOWN_ABSENT:
		end_absent(lookup);
		return true;
	case KNOWN_NOT:
		break;
	}
	return false;
}

static void find_woken(struct wait *wait)
{
	struct lookup *lookup = container_of(wait, struct lookup, wait);
	const struct failure *failure = find_failure(lookup->find);

	if (failure->error && failure->error != ENOENT) {
		lookup->failure = *failure;
		lookup_end(lookup);
	} else if (!end_if_known(lookup)) {
		/* Too old for `minimal` by the time it came, or swept by somebody's doubt: the answer itself still stands. */
		end_absent(lookup);
	}
}

/* A page of the walk came, or its end. */
static void walk_woken(struct wait *wait)
{
	struct lookup *lookup = container_of(wait, struct lookup, wait);
	struct listing *listing = lookup->listing;
	const struct record *record = NULL;

	if (listing->filling && listing->filling->grows)
		record = snapshot_find(listing->filling, lookup->name);
	if (record && !record->gone && !record->doubted) {
		lookup->record = record;
		lookup_end(lookup);
	} else if (listing->walk && listing->filling->grows) {
		wait_begin(&listing->filling->waits, &lookup->wait);
	} else if (!end_if_known(lookup)) {
		lookup->failure = listing->last_failure;
		if (!lookup->failure.error)
			failure_set(&lookup->failure, EIO, "the listing could not be fetched");
		lookup_end(lookup);
	}
}

static void wait_for_find(struct lookup *lookup)
{
	struct listing *listing = lookup->listing;

	lookup->find = find_start(listing, lookup->name, lookup->again, lookup->deadline);
	if (!lookup->find) {
		failure_set(&lookup->failure, ENOMEM, "out of memory");
		lookup_end(lookup);
		return;
	}
	lookup->wait.woken = find_woken;
	wait_begin(find_waits(lookup->find), &lookup->wait);
}

static void wait_for_walk(struct lookup *lookup)
{
	struct listing *listing = lookup->listing;

	if (walk_begin(listing)) {
		failure_set(&lookup->failure, ENOMEM, "out of memory");
		lookup_end(lookup);
		return;
	}
	lookup->wait.woken = walk_woken;
	wait_begin(&listing->filling->waits, &lookup->wait);
}

void lookup_start(struct listing *listing, struct lookup *lookup)
{
	const struct provider *provider = listing->catalog->options.provider;
	bool strange = !provider->name_is_valid(lookup->name);

	lookup->listing = listing;
	lookup->record = NULL;
	lookup->failure = (struct failure){0};
	lookup->timer = (struct timer){.expired = timed_out};
	lookup->began_at = loop_now(listing->catalog->loop);
	if (!lookup->again && end_if_known(lookup)) {
		listing->catalog->counts.hits++;
		return;
	}
	if (strange && listing->store && !provider->lists_strange_names) {
		end_absent(lookup);
		return;
	}
	listing->catalog->counts.misses++;
	if (timer_start(listing->catalog->loop, &lookup->timer, lookup->deadline)) {
		failure_set(&lookup->failure, ENOMEM, "out of memory");
		lookup_end(lookup);
		return;
	}
	if (lookup->again ||
	    (find_is_possible(listing, lookup->name) && listing->misses < SINGLE_CALLS_MAX)) {
		listing->misses += !lookup->again;
		wait_for_find(lookup);
	} else {
		wait_for_walk(lookup);
	}
}

void lookup_cancel(struct lookup *lookup)
{
	if (!lookup->listing)
		return;
	wait_end(&lookup->wait);
	timer_stop(lookup->listing->catalog->loop, &lookup->timer);
	lookup->find = NULL;
}
