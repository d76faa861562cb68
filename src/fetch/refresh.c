/* Decides when the cache is refreshed: in the background when stale data is read, or at once. */
#include "catalog.h"
#include "page_tags.h"
#include <errno.h>

void listing_refresh(struct listing *listing)
{
	if (listing->walk || listing_failed_lately(listing))
		return;
	if (!listing->force_refresh && !listing_can_afford_walk(listing))
		return;
	if (walk_begin(listing))
		listing_note_failure(listing);
}

/* Refreshes in the background after a stale answer: the one name while that costs less, the whole
 * listing after a few such. */
static void refresh_in_background(struct listing *listing, const struct record *record)
{
	uint64_t deadline = loop_now(listing->cache->loop) + listing->catalog->options.timeout;

	if (listing_failed_lately(listing))
		return;
	if (!record || !name_query_is_cheaper(listing, record))
		listing_refresh(listing);
	else if (!listing->walk)
		name_query_start(listing, record->name, false, deadline);
}

/* True if stale answers may be given: always without ttl=minimal and `refresh`, else only while
 * the service cannot be asked. */
static bool may_be_stale(const struct listing *listing)
{
	if (!listing->catalog->options.minimal && !listing->force_refresh)
		return true;
	return listing_failed_lately(listing) || net_down(listing->catalog->net);
}

enum cache_result listing_query(struct listing *listing, const char *name,
				const struct record **record)
{
	const struct record *found = listing_find(listing, name);
	enum cache_result cached = listing_classify(listing, found);

	*record = NULL;
	if (cached == CACHE_MISS)
		return CACHE_MISS;
	if (!listing_freshness(listing, found)) {
		if (!may_be_stale(listing))
			return CACHE_MISS;
		refresh_in_background(listing, found);
	}
	if (cached == CACHE_HIT)
		*record = found;
	listing->catalog->counts.hits++;
	return cached;
}

void listing_revalidate(struct listing *listing, const struct record *record)
{
	listing->catalog->counts.hits++;
	if (!listing_freshness(listing, record))
		refresh_in_background(listing, record);
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
	if (walk_begin(listing)) {
		failure_set(failure, ENOMEM, "out of memory");
		return NULL;
	}
	return snapshot_reference(listing->next);
}

void listing_close(struct listing *listing)
{
	walk_abort(listing);
	page_tags_drop(&listing->tags);
	name_query_abort_all(listing);
	listing_finish(listing);
}
