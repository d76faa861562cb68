/*
 * The catalog as a whole: its listings, its stores, its first call and its figures. What a listing knows is listing.c.
 */
#include "catalog.h"
#include "sstorefs/name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LISTINGS_MAX (1u << 24) /* what records have room for */

int listings_add(struct listings *listings, struct listing *listing)
{
	struct listing **slots;
	uint32_t number, count;

	for (number = listings->free ? listings->free : 1;
	     number < listings->count && listings->slots[number]; number++)
		;
	if (number >= listings->count) {
		count = listings->count ? 2 * listings->count : 8;
		slots = count <= LISTINGS_MAX ? reallocarray(listings->slots, count, sizeof *slots) : NULL;
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

void listings_remove(struct listings *listings, struct listing *listing)
{
	if (!listing->number)
		return;
	listings->slots[listing->number] = NULL;
	if (listing->number < listings->free)
		listings->free = listing->number;
	listing->number = 0;
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
	made->give_back.run = walks_give_back;
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
	buffer_finish(&catalog->greeting_cursor);
	wait_end(&catalog->first_page);
	client_keys_finish(&catalog->keys);
	quota_finish(&catalog->quota);
	refusals_finish(&catalog->refusals);
	boxes_finish(&catalog->boxes);
	stores_forget(catalog);
	listing_finish(&catalog->stores);
	task_cancel(&catalog->give_back);
	serials_finish(&catalog->serials);
	free(catalog->listings.slots);
	free(catalog);
}

const struct catalog_options *catalog_options(const struct catalog *catalog)
{
	return &catalog->options;
}

const struct catalog_counts *catalog_counts(const struct catalog *catalog)
{
	return &catalog->counts;
}

const struct record *catalog_record(const struct catalog *catalog, uint32_t serial)
{
	const struct record *record = serials_record(&catalog->serials, serial);

	return record && !record_is_past_expiry(catalog, record) ? record : NULL;
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
	return record->listing < catalog->listings.count ? catalog->listings.slots[record->listing] : NULL;
}

wall_time catalog_time(const struct catalog *catalog)
{
	if (catalog->last_date == TIME_UNKNOWN)
		return clock_wall();
	return catalog->last_date +
	       (wall_time)(loop_now(catalog->loop) - catalog->last_date_at) * (NANOSECONDS / 1000);
}

/* A service that tells no Date is taken to go by our clock: then nothing that it made is later than now. */
static bool is_since_by_our_clock(const struct catalog *catalog, wall_time time, uint64_t since)
{
	wall_time now = clock_wall();
	wall_time sent_at = now - (wall_time)(loop_now(catalog->loop) - since) * (NANOSECONDS / 1000);

	return time / NANOSECONDS >= sent_at / NANOSECONDS && time <= now;
}

/* Its times and its Date are cut to whole seconds. */
bool catalog_is_since(const struct catalog *catalog, wall_time time, uint64_t since)
{
	wall_time sent_at;

	if (time == TIME_UNKNOWN)
		return false;
	if (catalog->last_date == TIME_UNKNOWN)
		return is_since_by_our_clock(catalog, time, since);
	sent_at = catalog->last_date - (wall_time)(catalog->last_date_at - since) * (NANOSECONDS / 1000);
	return time / NANOSECONDS >= sent_at / NANOSECONDS;
}

void catalog_refresh(struct catalog *catalog)
{
	catalog->keys.failure = (struct failure){0}; /* what was not to be trusted may be asked for again */
	quota_forget(&catalog->quota);
	refusals_forget(&catalog->refusals, NULL);
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

/* As it is shown: the second of two stores with one name as NAME~ID. */
static bool is_shown_as(const struct entry *entry, const char *shown)
{
	struct buffer name = {0};
	bool is_it = !strcmp(entry->name, shown);

	if (!is_it && entry->id && !name_with_id(&name, entry->name, entry->id))
		is_it = !strcmp(buffer_text(&name), shown);
	buffer_finish(&name);
	return is_it;
}

static int take_store(void *context, const struct entry *entry)
{
	struct catalog *catalog = context;

	if (catalog->only_store || !entry->name || !is_shown_as(entry, catalog->options.store))
		return 0;
	catalog->only_store = store_new(catalog, 0, entry->name, entry->id ? entry->id : entry->name);
	return catalog->only_store ? 0 : -ENOMEM;
}

/* One store was asked for by name: a search may have to look at several pages. */
static void found_store(struct inquiry *inquiry)
{
	struct catalog *catalog = container_of(inquiry, struct catalog, greeting);
	const struct provider *provider = catalog->options.provider;
	struct failure failure = inquiry->failure;

	if (!failure.error && catalog->options.store && !catalog->only_store) {
		if (search_goes_on(catalog, inquiry, provider->store_paging, &catalog->greeting_cursor)) {
			inquiry_start(catalog, inquiry, loop_now(catalog->loop) + catalog->options.timeout);
			return;
		}
		failure_set(&failure, ENOENT, "there is no store named %s", catalog->options.store);
	}
	inquiry_finish(inquiry);
	buffer_finish(&catalog->greeting_cursor);
	greeted(catalog, &failure);
}

/* The first page of the list of stores tells whether the token is good; the others may come later. */
static void first_page_came(struct wait *wait)
{
	struct catalog *catalog = container_of(wait, struct catalog, first_page);
	const struct walk *walk = catalog->stores.walk;
	struct failure failure = {0};

	if (walk && !walk->done) {
		wait_begin(&catalog->stores.filling->waits,
			   wait); /* an attempt failed, and another one follows */
		return;
	}
	if (!walk)
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
		inquiry->ask.store_id = catalog->options.store ? catalog->options.store
							       : catalog->options.provider->lasting_store;
	} else if (catalog->options.store) {
		*inquiry = (struct inquiry){.done = found_store};
		/* What is none of the service's names may be one of two that are the same: all are looked through. */
		inquiry->ask.operation =
			catalog->options.provider->store_name_is_valid(catalog->options.store)
				? OPERATION_FIND_STORE
				: OPERATION_LIST_STORES;
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
