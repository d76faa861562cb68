/* The catalog: begins and ends its parts, sends the first call, reports the state of listings. */
#include "catalog.h"
#include "sstorefs/log.h"
#include "sstorefs/name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void stores_changed(struct cache *cache)
{
	stores_collect(container_of(cache, struct catalog, cache));
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
	cache_init(
		&made->cache, loop,
		&(struct cache_options){.ttl = options->ttl,
					.negative_ttl = options->negative_ttl,
					.minimal = options->minimal,
					.stores_are_local = options->provider->stores_are_local});
	made->cache.name_changed = walk_note_change;
	made->cache.stores_changed = stores_changed;
	made->heap_trim.run = trim_heap;
	made->stores_by_entry_id.compare = compare_first_u32;
	made->name_queues.compare = name_queues_compare;
	client_keys_init(&made->keys, made, NULL);
	quota_init(&made->quota, made);
	recovery_init(made);
	failed = listing_init(&made->stores, &made->cache, made, NULL);
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
	recovery_stop(catalog);
	api_call_cancel(&catalog->probe);
	wait_end(&catalog->first_page);
	client_keys_finish(&catalog->keys);
	quota_finish(&catalog->quota);
	notices_finish(&catalog->notices);
	free(catalog->recent_failures.slots);
	sealed_cache_free(&catalog->sealed_cache);
	stores_free(catalog);
	listing_close(&catalog->stores);
	task_cancel(&catalog->heap_trim);
	cache_free(&catalog->cache);
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

uint32_t catalog_new_entry_id(struct catalog *catalog)
{
	return entry_id_new(&catalog->cache.entry_ids);
}

struct listing *catalog_stores(struct catalog *catalog)
{
	return &catalog->stores;
}

void catalog_refresh(struct catalog *catalog)
{
	struct store *store;

	catalog->keys.failure =
		(struct failure){0}; /* a key that was rejected may be fetched again */
	quota_invalidate(&catalog->quota);
	recent_failures_forget(&catalog->recent_failures, NULL);
	recovery_hasten(catalog);
	listing_make_stale(&catalog->stores);
	LIST_FOREACH (store, &catalog->open_stores, link) {
		client_keys_of(store)->failure = (struct failure){0};
		listing_make_stale(&store->secrets);
	}
}

static void describe(struct listing *listing,
		     void (*each)(void *context, const struct listing_status *status),
		     void *context)
{
	uint64_t now = loop_now(listing->catalog->loop);
	struct listing_status status = {
		.name = listing->store ? listing->store->name : NULL,
		.entries = listing->current ? listing->current->present : 0,
		.age = listing->is_complete ? now - listing->listed_at : CLOCK_NEVER,
		.fresh = listing->is_complete && listing_time_left(listing, NULL) > 0,
		.stale = listing->is_complete && listing_is_stale(listing, NULL),
		.walking = listing->walk != NULL,
		.names_too_long = listing->current ? listing->current->names_too_long : 0,
		.whole_walk_ms = listing->whole_walk_ms,
	};

	each(context, &status);
}

void catalog_each_listing(struct catalog *catalog,
			  void (*each)(void *context, const struct listing_status *status),
			  void *context)
{
	struct store *store;

	if (!catalog->options.store)
		describe(&catalog->stores, each, context);
	LIST_FOREACH (store, &catalog->open_stores, link)
		describe(&store->secrets, each, context);
}

/* One of the first calls has ended: the first failure counts, or the success of the last. */
static void probe_done(struct catalog *catalog, const struct failure *failure)
{
	void (*done)(void *context, const struct failure *failure) = catalog->on_probed;
	const struct failure *key_failure = &catalog->keys.failure;

	if (!done || (--catalog->probing && !failure->errnum))
		return;
	if (!failure->errnum && key_failure->errnum)
		log_line(
			LOG_WARNING,
			"no client key came (%s: %s): the first write will tell if its signature fits",
			failure_errno_name(key_failure->errnum), key_failure->message);
	catalog->on_probed = NULL;
	done(catalog->probed_context, failure);
}

static void on_key_attempted(struct client_keys *keys)
{
	static const struct failure none;

	probe_done(keys->catalog, keys->failure.bad_signature ? &keys->failure : &none);
}

/* True if the store is shown as `shown`: the second of two with one name is NAME~ID. */
static bool is_shown_as(const struct entry *entry, const char *shown)
{
	struct buffer name = {0};
	bool is_it = !strcmp(entry->name, shown);

	if (!is_it && entry->id && !name_with_id(&name, entry->name, entry->id))
		is_it = !strcmp(buffer_cstr(&name), shown);
	buffer_finish(&name);
	return is_it;
}

static int on_store(void *context, const struct entry *entry)
{
	struct catalog *catalog = context;

	if (catalog->only_store || !entry->name || !is_shown_as(entry, catalog->options.store))
		return 0;
	catalog->only_store =
		store_new(catalog, 0, entry->name, entry->id ? entry->id : entry->name);
	return catalog->only_store ? 0 : -ENOMEM;
}

/* The response about one store by name: a search may take several pages. */
static void on_store_found(struct api_call *api_call)
{
	struct catalog *catalog = container_of(api_call, struct catalog, probe);
	const struct provider *provider = catalog->options.provider;
	struct failure failure = api_call->failure;

	if (!failure.errnum && catalog->options.store && !catalog->only_store) {
		int next = search_next_page(catalog, api_call, provider->store_paging, &failure);

		if (next > 0) {
			api_call_start(catalog, api_call,
				       loop_now(catalog->loop) + catalog->options.timeout);
			return;
		}
		if (!next)
			failure_set(&failure, ENOENT, "there is no store named %s",
				    catalog->options.store);
	}
	api_call_free(api_call);
	probe_done(catalog, &failure);
}

/* The first page of the list of stores shows whether the token is accepted. */
static void on_first_page(struct wait *wait)
{
	struct catalog *catalog = container_of(wait, struct catalog, first_page);
	const struct walk *walk = catalog->stores.walk;
	struct failure failure = {0};

	if (walk && !walk->done) {
		/* An attempt failed and another one follows. */
		wait_begin(&catalog->stores.next->waits, wait);
		return;
	}
	if (!walk)
		failure = catalog->stores.last_failure;
	probe_done(catalog, &failure);
}

static void probe_stores(struct catalog *catalog)
{
	struct failure failure = {0};

	catalog->first_page.woken = on_first_page;
	if (!walk_begin(&catalog->stores)) {
		wait_begin(&catalog->stores.next->waits, &catalog->first_page);
	} else {
		failure_set(&failure, ENOMEM, "out of memory");
		probe_done(catalog, &failure);
	}
}

void catalog_probe(struct catalog *catalog, bool verify_key,
		   void (*done)(void *context, const struct failure *failure), void *context)
{
	const struct provider *provider = catalog->options.provider;
	const char *store = catalog->options.store;
	struct api_call *api_call = &catalog->probe;

	catalog->on_probed = done;
	catalog->probed_context = context;
	catalog->probing = 1 + verify_key;
	if (verify_key)
		client_keys_prefetch(&catalog->keys, on_key_attempted);
	if (!store && !provider->stores_are_local) {
		probe_stores(catalog);
		return;
	}
	*api_call = (struct api_call){.done = on_store_found, .context = catalog};
	if (provider->stores_are_local) {
		/* The service does not list stores: the secrets of one scope show as much. */
		api_call->args.operation = OPERATION_LIST_SECRETS;
		api_call->args.store_id = store ? store : provider->builtin_stores[0];
	} else {
		/* A name that the service forbids may be NAME~ID: searches all stores. */
		api_call->args.operation = provider->store_name_is_valid(store)
						   ? OPERATION_FIND_STORE
						   : OPERATION_LIST_STORES;
		api_call->args.name = store;
		api_call->args.page = 1;
		api_call->on_entry = on_store;
	}
	api_call_start(catalog, api_call, loop_now(catalog->loop) + catalog->options.timeout);
}

struct store *catalog_only_store(struct catalog *catalog)
{
	return catalog->only_store;
}

const struct record *catalog_record(const struct catalog *catalog, uint32_t entry_id)
{
	return cache_record(&catalog->cache, entry_id);
}

struct listing *catalog_listing(const struct catalog *catalog, const struct record *record)
{
	return cache_listing(&catalog->cache, record);
}

wall_time_ns catalog_time(const struct catalog *catalog)
{
	return cache_time(&catalog->cache);
}
