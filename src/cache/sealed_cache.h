#pragma once

#include <stdint.h>

#include "sstorefs/entry.h"
#include "sstorefs/seal.h"

struct store;
struct entry;

/*
 * Sealed values of the last writes, from which a secret is renamed at a service that can neither
 * rename nor copy. They cannot be opened here, and can be sent only while their client key is
 * valid.
 */
#define SEALED_VALUES_MAX 32

struct sealed_value {
	const struct store *store; /* NULL: free */
	char name[256];
	struct entry_version version; /* of the stored secret: if it has another, another client
					 has changed it */
	struct client_key key;
	uint8_t *sealed;
	size_t length;
	uint64_t kept_at; /* CLOCK_BOOTTIME, milliseconds */
};

struct sealed_cache {
	struct sealed_value values[SEALED_VALUES_MAX];
};

/* Frees all sealed values. */
void sealed_cache_free(struct sealed_cache *cache);

/* Sets `version` to that of a secret as the service described it. */
void entry_version(struct entry_version *version, const struct entry *entry);

/* Takes ownership of `sealed` (from malloc), the last value written to the name. Without a version
 * it is useless, and freed. */
void sealed_cache_put(struct sealed_cache *cache, const struct store *store, const char *name,
		      const struct entry_version *version, const struct client_key *key,
		      uint8_t *sealed, size_t length, uint64_t now);

/* Returns the sealed value of a name if its key is valid for a while and the secret still has its
 * version; else NULL. */
const struct sealed_value *sealed_cache_find(const struct sealed_cache *cache,
					     const struct store *store, const char *name,
					     const struct entry_version *version, uint64_t now);

/* Moves the sealed value to the name `to` and to `version`; drops the one that `to` had. */
void sealed_cache_rename(struct sealed_cache *cache, const struct store *store, const char *from,
			 const char *to, const struct entry_version *version);

/* Drop the sealed value of one name, and all of a store. */
void sealed_cache_drop(struct sealed_cache *cache, const struct store *store, const char *name);
void sealed_cache_drop_store(struct sealed_cache *cache, const struct store *store);
