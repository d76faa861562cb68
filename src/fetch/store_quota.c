/* Counts the secrets of stores where the service has a limit for each store, and tells no quota. */
#include "store_quota.h"

#include "catalog.h"

static bool must_be_walked(const struct listing *listing)
{
	return !(listing->is_complete && listing_freshness(listing, NULL)) &&
	       !listing_failed_lately(listing) && listing_can_afford_walk(listing);
}

/* What was just written counts, though the service has not described it. */
static int64_t count_entries(const struct listing *listing)
{
	const struct record *record;
	uint64_t position = 0;
	int64_t count = 0;

	while (listing->current && (record = snapshot_step(listing->current, &position)))
		count += !record->deleted || record->invalid;
	return count;
}

/* Calls `each` for `store`, or for all stores of the mount, until it returns true. */
static void each_store(struct catalog *catalog, struct store *store,
		       bool (*each)(void *context, struct store *store), void *context)
{
	const struct record *record;
	uint64_t position = 0;

	if (!store)
		store = catalog->only_store;
	if (store) {
		each(context, store);
		return;
	}
	while (catalog->stores.current &&
	       (record = snapshot_next(catalog->stores.current, &position))) {
		store = catalog_store(catalog, record);
		if (store && each(context, store))
			return;
	}
}

static bool find_unlisted(void *context, struct store *store)
{
	struct listing **found = context;

	if (must_be_walked(&store->secrets))
		*found = &store->secrets;
	return *found != NULL;
}

struct listing *store_quota_next_listing(struct catalog *catalog, struct store *store)
{
	struct listing *found = NULL;

	if (!net_down(catalog->net))
		each_store(catalog, store, find_unlisted, &found);
	return found;
}

static bool count(void *context, struct store *store)
{
	struct quota_figures *figures = context;
	const struct listing *listing = &store->secrets;

	figures->limit += store->catalog->options.provider->secrets_per_store;
	figures->usage += count_entries(listing);
	return false;
}

void store_quota_count(struct catalog *catalog, struct store *store, struct quota_figures *figures)
{
	*figures = (struct quota_figures){0};
	each_store(catalog, store, count, figures);
}

bool store_quota_is_exhausted(const struct store *store)
{
	const struct listing *listing = &store->secrets;
	unsigned most = store->catalog->options.provider->secrets_per_store;

	return most && listing->is_complete && listing_freshness(listing, NULL) &&
	       listing->current->present >= most;
}
