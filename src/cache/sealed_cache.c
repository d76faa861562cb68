/* Keeps the sealed values of the last writes. */
#include "sealed_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Milliseconds that a key must be valid for at least: sending the sealed value takes time. */
#define MARGIN 5000

static void sealed_value_clear(struct sealed_value *kept)
{
	if (!kept)
		return;
	free(kept->sealed);
	*kept = (struct sealed_value){0};
}

void sealed_cache_free(struct sealed_cache *cache)
{
	for (size_t i = 0; i < SEALED_VALUES_MAX; i++)
		sealed_value_clear(&cache->values[i]);
}

static struct sealed_value *sealed_value_of(struct sealed_cache *cache, const struct store *store,
					    const char *name)
{
	for (size_t i = 0; i < SEALED_VALUES_MAX; i++)
		if (cache->values[i].store == store && !strcmp(cache->values[i].name, name))
			return &cache->values[i];
	return NULL;
}

/* Returns a free slot, or else the oldest one. */
static struct sealed_value *sealed_value_to_fill(struct sealed_cache *cache)
{
	struct sealed_value *oldest = &cache->values[0];

	for (size_t i = 0; i < SEALED_VALUES_MAX; i++) {
		struct sealed_value *kept = &cache->values[i];

		if (!kept->store)
			return kept;
		if (kept->kept_at < oldest->kept_at)
			oldest = kept;
	}
	return oldest;
}

void sealed_cache_put(struct sealed_cache *cache, const struct store *store, const char *name,
		      const struct entry_version *version, const struct client_key *key,
		      uint8_t *sealed, size_t length, uint64_t now)
{
	struct sealed_value *kept;

	sealed_cache_drop(cache, store, name);
	if (!sealed || (!version->digest[0] && version->changed_in.to == TIME_UNKNOWN)) {
		free(sealed);
		return;
	}
	kept = sealed_value_to_fill(cache);
	sealed_value_clear(kept);
	*kept = (struct sealed_value){.store = store,
				      .version = *version,
				      .key = *key,
				      .sealed = sealed,
				      .length = length,
				      .kept_at = now};
	strcpy(kept->name, name);
}

void entry_version(struct entry_version *version, const struct entry *entry)
{
	wall_time_ns time = entry->digest ? TIME_UNKNOWN : entry->modified_at;

	*version = (struct entry_version){.changed_in = {time, time}};
	/* A longer digest is not kept, and such a version is never the same. */
	if (entry->digest && strlen(entry->digest) < sizeof version->digest)
		strcpy(version->digest, entry->digest);
}

static bool is_same(const struct entry_version *written, const struct entry_version *found)
{
	if (written->digest[0] || found->digest[0])
		return !strcmp(written->digest, found->digest);
	return time_span_has(&written->changed_in, found->changed_in.to);
}

const struct sealed_value *sealed_cache_find(const struct sealed_cache *cache,
					     const struct store *store, const char *name,
					     const struct entry_version *version, uint64_t now)
{
	const struct sealed_value *kept =
		sealed_value_of((struct sealed_cache *)(uintptr_t)cache, store, name);

	if (!kept || !is_same(&kept->version, version) || now + MARGIN >= kept->key.expires_at)
		return NULL;
	return kept;
}

void sealed_cache_rename(struct sealed_cache *cache, const struct store *store, const char *from,
			 const char *to, const struct entry_version *version)
{
	struct sealed_value *kept;

	sealed_cache_drop(cache, store, to);
	kept = sealed_value_of(cache, store, from);
	if (!kept)
		return;
	snprintf(kept->name, sizeof kept->name, "%s", to);
	kept->version = *version;
}

void sealed_cache_drop(struct sealed_cache *cache, const struct store *store, const char *name)
{
	sealed_value_clear(sealed_value_of(cache, store, name));
}

void sealed_cache_drop_store(struct sealed_cache *cache, const struct store *store)
{
	for (size_t i = 0; i < SEALED_VALUES_MAX; i++)
		if (cache->values[i].store == store)
			sealed_value_clear(&cache->values[i]);
}
