/* The beginning and the end of a cache and of its listings. */
#include "cache.h"

#include <errno.h>
#include <stdlib.h>

#define LISTINGS_MAX (1u << 24) /* record.listing has 24 bits */

void cache_init(struct cache *cache, struct loop *loop, const struct cache_options *options)
{
	*cache = (struct cache){.loop = loop, .options = *options, .last_date = TIME_UNKNOWN};
	entry_ids_init(&cache->entry_ids);
}

void cache_free(struct cache *cache)
{
	entry_ids_free(&cache->entry_ids);
	free(cache->listings.slots);
}

const struct record *cache_record(const struct cache *cache, uint32_t entry_id)
{
	const struct record *record = entry_id_lookup(&cache->entry_ids, entry_id);

	return record && !record_is_past_expiry(cache, record) ? record : NULL;
}

struct listing *cache_listing(const struct cache *cache, const struct record *record)
{
	return record->listing < cache->listings.count ? cache->listings.slots[record->listing]
						       : NULL;
}

/* Gives the listing a number. Returns 0 or -ENOMEM. */
static int listings_add(struct listings *listings, struct listing *listing)
{
	struct listing **slots;
	uint32_t number, count;

	for (number = listings->free ? listings->free : 1;
	     number < listings->count && listings->slots[number]; number++)
		;
	if (number >= listings->count) {
		count = listings->count ? 2 * listings->count : 8;
		slots = count <= LISTINGS_MAX ? reallocarray(listings->slots, count, sizeof *slots)
					      : NULL;
		if (!slots)
			return -ENOMEM;
		for (uint32_t i = listings->count; i < count; i++)
			slots[i] = NULL;
		listings->slots = slots;
		listings->count = count;
	}
	listings->slots[number] = listing;
	listings->free = number + 1;
	listing->number = number;
	return 0;
}

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
	struct listings *listings = &listing->cache->listings;

	task_cancel(&listing->compaction);
	listing_unbind_records(listing, listing->current);
	snapshot_release(listing->current);
	listing->current = NULL;
	if (!listing->number)
		return;
	listings->slots[listing->number] = NULL;
	if (listing->number < listings->free)
		listings->free = listing->number;
	listing->number = 0;
}
