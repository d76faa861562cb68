/* Looks up a name: in the cache, by one call, or in the pages of a walk. */
#include <errno.h>

#include "catalog.h"

static void start_query(struct lookup *lookup);

static void lookup_end(struct lookup *lookup)
{
	wait_end(&lookup->wait);
	timer_stop(lookup->listing->catalog->loop, &lookup->timer);
	lookup->query = NULL;
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

/* Ends the lookup by what the cache says. False if that is nothing. */
static bool end_as(struct lookup *lookup, enum cache_result cached)
{
	if (cached == CACHE_HIT)
		lookup_end(lookup);
	else if (cached == CACHE_NEGATIVE)
		end_absent(lookup);
	return cached != CACHE_MISS;
}

/* Ends the lookup if the cache has the name. */
static bool end_if_cached(struct lookup *lookup)
{
	return end_as(lookup, listing_query(lookup->listing, lookup->name, &lookup->record));
}

/* Ends the lookup by the cache, however old, because the service cannot be asked. */
static bool end_if_peeked(struct lookup *lookup)
{
	return !lookup->bypass_cache &&
	       end_as(lookup, listing_peek(lookup->listing, lookup->name, &lookup->record));
}

static void end_failed(struct lookup *lookup, const struct failure *failure)
{
	if (end_if_peeked(lookup))
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

/* A call for the one name */

/* The response is in the cache now, and is the answer however soon it becomes stale. */
static void end_as_answered(struct lookup *lookup)
{
	if (listing_peek(lookup->listing, lookup->name, &lookup->record) == CACHE_HIT)
		lookup_end(lookup);
	else
		end_absent(lookup);
}

static void on_query(struct wait *wait)
{
	struct lookup *lookup = container_of(wait, struct lookup, wait);
	struct name_query *query = lookup->query;
	const struct failure *failure = &query->failure;

	if (!query->ended) {
		if (!end_if_peeked(lookup))
			wait_begin(&query->waits, wait);
		return;
	}
	lookup->query = NULL;
	if (failure->errnum && failure->errnum != ENOENT)
		end_failed(lookup, failure);
	else if (!query->superseded)
		end_as_answered(lookup);
	else if (!end_if_cached(lookup))
		start_query(lookup); /* a local change of the name came after the query was sent */
}

static void wait_for_query(struct lookup *lookup)
{
	struct listing *listing = lookup->listing;

	lookup->query =
		name_query_start(listing, lookup->name, lookup->bypass_cache, lookup->deadline);
	if (!lookup->query) {
		end_without_memory(lookup);
		return;
	}
	lookup->wait.woken = on_query;
	wait_begin(&lookup->query->waits, &lookup->wait);
}

/* The walk */

/* True if the walk that runs began after this lookup asked for fresh data, and after `refresh`. */
static bool walk_is_recent(const struct lookup *lookup)
{
	const struct listing *listing = lookup->listing;

	return listing->walk->number > lookup->ignore_walks_until &&
	       !snapshot_is_stale(listing->next);
}

/* Limits single calls during a walk to about the number of its pages: many of them would cost more
 * than the walk. */
static bool may_query_name(const struct lookup *lookup)
{
	const struct listing *listing = lookup->listing;
	uint64_t most = SINGLE_CALLS_MAX + (listing->walk ? listing->walk->done : 0);

	return name_query_is_exact(listing, lookup->name) &&
	       (listing->single_lookups < most || name_query_running(listing, lookup->name));
}

static void on_walk_page(struct lookup *lookup)
{
	struct listing *listing = lookup->listing;
	const struct record *record =
		walk_is_recent(lookup) ? snapshot_find(listing->next, lookup->name) : NULL;

	if (record && !record->deleted && !record->invalid &&
	    !record_is_past_expiry(listing->cache, record)) {
		lookup->record = record;
		lookup_end(lookup);
	} else if (listing_last_refresh_failed(listing) && end_if_peeked(lookup)) {
		return;
	} else if (may_query_name(lookup)) {
		wait_for_query(lookup);
	} else {
		wait_begin(&listing->next->waits, &lookup->wait);
	}
}

/* The walk is whole; but a `refresh` may have made everything stale while it ran. */
static void on_walk_complete(struct lookup *lookup)
{
	struct listing *listing = lookup->listing;
	enum cache_result cached;

	if (listing->force_refresh && !lookup->bypass_cache)
		cached = listing_query(listing, lookup->name, &lookup->record);
	else
		cached = listing_peek(listing, lookup->name, &lookup->record);
	if (!end_as(lookup, cached))
		start_query(lookup);
}

/* A page of the walk came, an attempt to fetch one failed, or the walk has ended. */
static void on_walk(struct wait *wait)
{
	struct lookup *lookup = container_of(wait, struct lookup, wait);
	struct listing *listing = lookup->listing;

	if (listing->walk && listing->walk->number == lookup->walk)
		on_walk_page(lookup);
	else if (lookup->walk <= lookup->ignore_walks_until)
		start_query(lookup);
	else if (listing->last_failure.errnum)
		end_failed(lookup, &listing->last_failure);
	else
		on_walk_complete(lookup);
}

static void wait_for_walk(struct lookup *lookup)
{
	struct listing *listing = lookup->listing;

	if (walk_begin(listing)) {
		end_without_memory(lookup);
		return;
	}
	lookup->walk = listing->walk->number;
	lookup->wait.woken = on_walk;
	wait_begin(&listing->next->waits, &lookup->wait);
}

/* Which of them */

static void start_query(struct lookup *lookup)
{
	struct listing *listing = lookup->listing;
	bool can_walk = listing->walk || listing_can_afford_walk(listing);
	/* A search goes through pages too: it may have no end either. */
	bool can_query =
		name_query_is_possible(listing, lookup->name) &&
		(!listing_is_endless(listing) || name_query_is_exact(listing, lookup->name));

	if ((lookup->bypass_cache && can_query) || may_query_name(lookup) ||
	    (!can_walk && can_query)) {
		wait_for_query(lookup);
	} else if (!can_walk && listing->last_failure.errnum) {
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
	lookup->ignore_walks_until = lookup->bypass_cache ? listing->catalog->last_walk : 0;
	if (!lookup->bypass_cache && end_if_cached(lookup))
		return;
	if (listing->store && !provider->lists_unvalidated_names &&
	    !provider->name_is_valid(lookup->name)) {
		end_absent(lookup);
		return;
	}
	listing->catalog->counts.misses++;
	if (timer_start(listing->catalog->loop, &lookup->timer, lookup->deadline))
		end_without_memory(lookup);
	else
		start_query(lookup);
}

void lookup_cancel(struct lookup *lookup)
{
	if (!lookup->listing)
		return;
	wait_end(&lookup->wait);
	timer_stop(lookup->listing->catalog->loop, &lookup->timer);
	lookup->query = NULL;
}
