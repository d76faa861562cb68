/*
 * Stores that were opened, each with the listing of its secrets. A store is kept until it is
 * deleted and no reference is left.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"

struct store *store_reference(struct store *store)
{
	store->references++;
	return store;
}

static void store_free(struct store *store)
{
	sealed_cache_drop_store(&store->catalog->sealed_cache, store);
	if (store->keys)
		client_keys_finish(store->keys);
	free(store->keys);
	listing_close(&store->secrets);
	free(store->name);
	free(store->id);
	free(store);
}

void store_release(struct store *store)
{
	if (store && !--store->references)
		store_free(store);
}

const char *store_name(const struct store *store)
{
	return store->name;
}

const char *store_id(const struct store *store)
{
	return store->id;
}

struct listing *store_secrets(struct store *store)
{
	return &store->secrets;
}

struct store *store_new(struct catalog *catalog, uint32_t entry_id, const char *name,
			const char *id)
{
	struct store *store = calloc(1, sizeof *store);

	if (!store)
		return NULL;
	*store = (struct store){.catalog = catalog, .references = 1, .entry_id = entry_id};
	store->name = strdup(name);
	store->id = strdup(id);
	if (catalog->options.provider->store_keys)
		store->keys = malloc(sizeof *store->keys);
	if (store->keys)
		client_keys_init(store->keys, catalog, store->id);
	if (listing_init(&store->secrets, &catalog->cache, catalog, store) || !store->name ||
	    !store->id || (catalog->options.provider->store_keys && !store->keys)) {
		store_free(store);
		return NULL;
	}
	if (!set_add(&catalog->stores_by_entry_id, store)) {
		store_free(store);
		return NULL;
	}
	LIST_INSERT_HEAD(&catalog->open_stores, store, link);
	return store;
}

/* Takes a store out of the catalog, and drops the catalog's reference. */
static void store_detach(struct catalog *catalog, struct store *store)
{
	set_remove(&catalog->stores_by_entry_id, store);
	LIST_REMOVE(store, link);
	store_release(store);
}

void stores_free(struct catalog *catalog)
{
	while (!LIST_EMPTY(&catalog->open_stores))
		store_detach(catalog, LIST_FIRST(&catalog->open_stores));
}

void stores_collect(struct catalog *catalog)
{
	struct store *store, *next;

	for (store = LIST_FIRST(&catalog->open_stores); store; store = next) {
		next = LIST_NEXT(store, link);
		if (store->entry_id && !cache_record(&catalog->cache, store->entry_id))
			store_detach(catalog, store);
	}
}

struct store *catalog_store(struct catalog *catalog, const struct record *record)
{
	struct store *found = set_find(&catalog->stores_by_entry_id, &record->entry_id);
	const char *id;

	if (found)
		return found;
	id = record_id(record);
	return store_new(catalog, record->entry_id, record->name, id ? id : record->name);
}

int local_store_add(struct catalog *catalog, const char *name, size_t length)
{
	char scope[256];
	const struct entry entry = ENTRY_WITH(.name = scope, .id = scope);

	if (length >= sizeof scope)
		return -ENAMETOOLONG;
	memcpy(scope, name, length);
	scope[length] = '\0';
	return listing_local_put(&catalog->stores, &entry, 0) ? 0 : -ENOMEM;
}

int local_stores_init(struct catalog *catalog)
{
	const char *user = catalog->options.users, *only = catalog->options.store;
	const char *const *builtin = catalog->options.provider->builtin_stores;
	int failed = 0;

	if (!catalog->options.provider->stores_are_local)
		return 0;
	if (only) {
		catalog->only_store = store_new(catalog, 0, only, only);
		return catalog->only_store ? 0 : -ENOMEM;
	}
	catalog->stores.is_complete = true;
	for (; *builtin && !failed; builtin++)
		failed = local_store_add(catalog, *builtin, strlen(*builtin));
	while (!failed && user && *user) {
		size_t length = strcspn(user, ":");

		if (length)
			failed = local_store_add(catalog, user, length);
		user += length + (user[length] == ':');
	}
	return failed;
}
