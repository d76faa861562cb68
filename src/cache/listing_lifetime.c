/* The beginning and the end of a listing. */
#include "cache.h"

int listing_init(struct listing *listing, struct cache *cache, struct catalog *catalog,
		 struct store *store)
{
	*listing = (struct listing){.cache = cache,
				    .catalog = catalog,
				    .store = store,
				    .compaction = {.run = listing_compact}};
	return listings_add(&cache->listings, listing);
}

void listing_finish(struct listing *listing)
{
	task_cancel(&listing->compaction);
	if (listing->current)
		listing_unbind_records(listing, listing->current);
	snapshot_release(listing->current);
	listing->current = NULL;
	listings_remove(&listing->cache->listings, listing);
}
