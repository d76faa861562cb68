/* Decides when the cache is refreshed: in the background when stale data is read, or at once. */
#include "catalog.h"
#include "page_tags.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void listing_refresh(struct listing *listing)
{
	if (listing->walk || listing_failed_lately(listing) || listing_is_endless(listing))
		return;
	if (!listing->force_refresh && !listing_can_afford_walk(listing))
		return;
	if (walk_begin(listing))
		listing_note_failure(listing);
}

/* Asks for the one name while that costs less, for the whole listing after a few such. */
static void refresh_name(struct listing *listing, const char *name)
{
	uint64_t deadline = loop_now(listing->cache->loop) + listing->catalog->options.timeout;
	const struct record *record = listing_find(listing, name);

	if (listing_freshness(listing, record) || listing_failed_lately(listing))
		return;
	if (!record || !name_query_is_cheaper(listing, record))
		listing_refresh(listing);
	else if (!listing->walk)
		name_query_start(listing, record->name, false, deadline);
}

static void stop_waiting(struct listing *listing)
{
	timer_stop(listing->cache->loop, &listing->refresh_timer);
	free(listing->refresh_name);
	listing->refresh_name = NULL;
}

void listing_make_stale(struct listing *listing)
{
	stop_waiting(listing);
	listing_expire(listing);
}

static void refresh_now(struct listing *listing)
{
	char *name = listing->refresh_name;

	if (!name)
		return;
	listing->refresh_name = NULL;
	stop_waiting(listing);
	refresh_name(listing, name);
	free(name);
}

static void on_refresh_timer(struct timer *timer)
{
	refresh_now(container_of(timer, struct listing, refresh_timer));
}

/* Refreshes a name in the background after a stale answer, but for one that is changed at once. */
static void refresh_in_background(struct listing *listing, const char *name)
{
	uint64_t at = loop_now(listing->cache->loop) + REFRESH_DELAY;

	if (listing_failed_lately(listing) ||
	    (listing->refresh_name && !strcmp(listing->refresh_name, name)))
		return;
	refresh_now(listing);
	listing->refresh_timer.expired = on_refresh_timer;
	listing->refresh_name = strdup(name);
	if (!listing->refresh_name ||
	    timer_start(listing->cache->loop, &listing->refresh_timer, at)) {
		stop_waiting(listing);
		refresh_name(listing, name);
	}
}

void listing_expect_change(struct listing *listing, const char *name)
{
	struct listing *stores = &listing->catalog->stores;

	if (listing->refresh_name && !strcmp(listing->refresh_name, name))
		stop_waiting(listing);
	if (listing->store && stores->refresh_name &&
	    !strcmp(stores->refresh_name, listing->store->name))
		stop_waiting(stores);
}

/* True if stale answers may be given: always without ttl=minimal and `refresh`, else only while
 * the service cannot be asked. */
static bool may_be_stale(const struct listing *listing)
{
	if (!listing->catalog->options.minimal && !listing->force_refresh)
		return true;
	return listing_failed_lately(listing) || listing_is_endless(listing) ||
	       net_down(listing->catalog->net);
}

static enum cache_result query(struct listing *listing, const char *name,
			       const struct record **record, bool refreshes)
{
	const struct record *found = listing_find(listing, name);
	enum cache_result cached = listing_classify(listing, found);
	bool fresh = cached != CACHE_MISS && listing_freshness(listing, found);

	*record = NULL;
	if (cached == CACHE_MISS || (!fresh && !may_be_stale(listing)))
		return CACHE_MISS;
	if (cached == CACHE_HIT)
		*record = found;
	listing->catalog->counts.hits++;
	if (refreshes && !fresh)
		refresh_in_background(listing, name);
	return cached;
}

enum cache_result listing_query_for_change(struct listing *listing, const char *name,
					   const struct record **record)
{
	return query(listing, name, record, false);
}

enum cache_result listing_query(struct listing *listing, const char *name,
				const struct record **record)
{
	return query(listing, name, record, true);
}

void listing_revalidate(struct listing *listing, const struct record *record)
{
	listing->catalog->counts.hits++;
	if (!listing_freshness(listing, record))
		refresh_in_background(listing, record->name);
}

struct snapshot *listing_open_view(struct listing *listing, struct failure *failure)
{
	const struct failure *down = net_down(listing->catalog->net);

	if (listing->is_complete && (listing_freshness(listing, NULL) || may_be_stale(listing))) {
		if (!listing_freshness(listing, NULL))
			listing_refresh(listing);
		return snapshot_reference(listing->current);
	}
	if (!listing->is_complete && !listing->walk && !listing->force_refresh && down) {
		*failure = *down;
		return NULL;
	}
	if (!listing->walk && listing_is_endless(listing)) {
		*failure = listing->last_failure;
		return NULL;
	}
	if (walk_begin(listing)) {
		failure_set(failure, ENOMEM, "out of memory");
		return NULL;
	}
	return snapshot_reference(listing->next);
}

void listing_close(struct listing *listing)
{
	stop_waiting(listing);
	walk_abort(listing);
	page_tags_drop(&listing->tags);
	name_query_abort_all(listing);
	listing_finish(listing);
}
