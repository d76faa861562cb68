/*
 * The catalog as a whole: its listings, its stores, its first call and its figures. What a listing knows is listing.c.
 */
#include "catalog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_listings(const void *a, const void *b)
{
	const struct listing *left = a, *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

int catalog_add_listing(struct catalog *catalog, struct listing *listing)
{
	listing->number = ++catalog->last_listing;
	return tree_add(&catalog->by_number, listing) ? 0 : -ENOMEM;
}

void catalog_remove_listing(struct catalog *catalog, struct listing *listing)
{
	tree_remove(&catalog->by_number, listing);
}

struct listing *catalog_listing_numbered(const struct catalog *catalog, uint32_t number)
{
	struct listing key = {.number = number};

	return tree_find(&catalog->by_number, &key);
}

int catalog_new(struct catalog **catalog, struct loop *loop, struct net *net,
		const struct catalog_options *options)
{
	struct catalog *made = calloc(1, sizeof *made);
	int failed;

	if (!made)
		return -ENOMEM;
	made->loop = loop;
	made->net = net;
	made->options = *options;
	made->last_date = TIME_UNKNOWN;
	made->by_number.compare = compare_listings;
	made->by_serial.compare = compare_stores;
	made->turns.compare = compare_turn_queues;
	serials_init(&made->serials);
	client_keys_init(&made->keys, made);
	quota_init(&made->quota, made);
	failed = listing_init(&made->stores, made, NULL);
	if (!failed)
		failed = local_stores_init(made);
	if (failed) {
		catalog_free(made);
		return failed;
	}
	*catalog = made;
	return 0;
}

void catalog_free(struct catalog *catalog)
{
	if (!catalog)
		return;
	inquiry_cancel(&catalog->greeting);
	wait_end(&catalog->first_page);
	client_keys_finish(&catalog->keys);
	quota_finish(&catalog->quota);
	boxes_finish(&catalog->boxes);
	stores_forget(catalog);
	listing_finish(&catalog->stores);
	serials_finish(&catalog->serials);
	free(catalog);
}

const struct catalog_options *catalog_options(const struct catalog *catalog)
{
	return &catalog->options;
}

struct loop *catalog_loop(const struct catalog *catalog)
{
	return catalog->loop;
}

struct net *catalog_net(const struct catalog *catalog)
{
	return catalog->net;
}

const struct catalog_counts *catalog_counts(const struct catalog *catalog)
{
	return &catalog->counts;
}

const struct record *catalog_record(const struct catalog *catalog, uint32_t serial)
{
	return serials_record(&catalog->serials, serial);
}

uint32_t catalog_serial(struct catalog *catalog)
{
	return serials_take(&catalog->serials);
}

struct listing *catalog_stores(struct catalog *catalog)
{
	return &catalog->stores;
}

struct listing *catalog_listing(const struct catalog *catalog, const struct record *record)
{
	return catalog_listing_numbered(catalog, record->listing);
}

void catalog_refresh(struct catalog *catalog)
{
	catalog->keys.failure = (struct failure){0}; /* what was not to be trusted may be asked for again */
	quota_forget(&catalog->quota);
	listing_expire(&catalog->stores);
	for (struct store *store = catalog->first_store; store; store = store->next)
		listing_expire(&store->secrets);
}

static void describe(struct listing *listing,
		     void (*each)(void *context, const struct listing_status *status), void *context)
{
	uint64_t now = loop_now(listing->catalog->loop);
	struct listing_status status = {
		.name = listing->store ? listing->store->name : NULL,
		.entries = listing->current ? listing->current->present : 0,
		.age = listing->complete ? now - listing->listed_at : CLOCK_NEVER,
		.fresh = listing->complete && listing_time_left(listing, NULL) > 0,
		.stale = listing->complete && listing_is_stale(listing, NULL),
		.walking = listing->walk != NULL,
		.left_out = listing->current ? listing->current->left_out : 0,
		.walk_took = listing->walk_took,
	};

	each(context, &status);
}

void catalog_each_listing(struct catalog *catalog,
			  void (*each)(void *context, const struct listing_status *status), void *context)
{
	if (!catalog->options.store)
		describe(&catalog->stores, each, context);
	for (struct store *store = catalog->first_store; store; store = store->next)
		describe(&store->secrets, each, context);
}

static void greeted(struct catalog *catalog, const struct failure *failure)
{
	catalog->greeted(catalog->greeted_context, failure);
}

static int ignore_entry(void *context, const struct entry *entry)
{
	(void)context;
	(void)entry;
	return 0;
}

static int take_store(void *context, const struct entry *entry)
{
	struct catalog *catalog = context;

	if (catalog->only_store || !entry->name || strcmp(entry->name, catalog->options.store) != 0)
		return 0;
	catalog->only_store = store_new(catalog, 0, entry->name, entry->id ? entry->id : entry->name);
	return catalog->only_store ? 0 : -ENOMEM;
}

/* One store was asked for by name: a search may have to look at several pages. */
static void found_store(struct inquiry *inquiry)
{
	struct catalog *catalog = container_of(inquiry, struct catalog, greeting);
	struct failure failure = inquiry->failure;
	unsigned entries = inquiry->result.entries;

	inquiry_finish(inquiry);
	if (!failure.error && catalog->options.store && !catalog->only_store) {
		if (catalog->options.provider->store_paging == PAGING_NUMBERED && entries) {
			inquiry->ask.page++;
			inquiry_start(catalog, inquiry, loop_now(catalog->loop) + catalog->options.timeout);
			return;
		}
		failure_set(&failure, ENOENT, "there is no store named %s", catalog->options.store);
	}
	greeted(catalog, &failure);
}

/* The first page of the list of stores tells whether the token is good; the others may come later. */
static void first_page_came(struct wait *wait)
{
	struct catalog *catalog = container_of(wait, struct catalog, first_page);
	struct failure failure = {0};

	if (!catalog->stores.filling)
		failure = catalog->stores.last_failure;
	greeted(catalog, &failure);
}

void catalog_greet(struct catalog *catalog, void (*done)(void *context, const struct failure *failure),
		   void *context)
{
	struct inquiry *inquiry = &catalog->greeting;

	catalog->greeted = done;
	catalog->greeted_context = context;
	if (catalog->options.provider->stores_are_local) {
		/* No list of stores to ask for: the secrets of one scope will do. */
		*inquiry = (struct inquiry){.done = found_store};
		inquiry->ask.operation = OPERATION_LIST_SECRETS;
		inquiry->ask.store_id = catalog->options.store ? catalog->options.store : "account";
	} else if (catalog->options.store) {
		*inquiry = (struct inquiry){.done = found_store};
		inquiry->ask.operation = OPERATION_FIND_STORE;
		inquiry->ask.name = catalog->options.store;
		inquiry->ask.page = 1;
	} else {
		struct failure failure = {0};

		if (walk_begin(&catalog->stores)) {
			failure_set(&failure, ENOMEM, "out of memory");
			greeted(catalog, &failure);
			return;
		}
		catalog->first_page.woken = first_page_came;
		wait_begin(&catalog->stores.filling->waits, &catalog->first_page);
		return;
	}
	inquiry->result.take = catalog->options.provider->stores_are_local ? ignore_entry : take_store;
	inquiry->result.context = catalog;
	inquiry_start(catalog, inquiry, loop_now(catalog->loop) + catalog->options.timeout);
}

struct store *catalog_only_store(struct catalog *catalog)
{
	return catalog->only_store;
}
