/*
 * Sealed values of the last writes: what a secret is renamed from at a service that can neither
 * rename nor copy. They cannot be opened here, and are of use only while their client key is valid.
 */
#ifndef SSTOREFS_CACHE_SEALED_CACHE_H
#define SSTOREFS_CACHE_SEALED_CACHE_H

#include <stdint.h>

#include "sstorefs/entry.h"
#include "sstorefs/seal.h"

struct store;
struct entry;

/*
 * Sealed boxes of the last writes: what a secret is renamed from at a service that can neither
 * rename nor copy. They can't be opened here, and are of use only while their client key lives.
 */
#define SEALED_VALUES_MAX 32

struct sealed_value {
	const struct store *store; /* NULL: free */
	char name[256];
	char digest[DIGEST_TEXT_SIZE]; /* of the secret that came of it: another means that somebody
					  has changed it */
	struct client_key key;
	uint8_t *sealed;
	size_t length;
	uint64_t kept_at;
};

struct sealed_cache {
	struct sealed_value values[SEALED_VALUES_MAX];
};

void sealed_cache_free(struct sealed_cache *cache);

/* Keeps `sealed` (taken over, malloc'd) as what was last written to the name. Without a digest it
 * is of no use and freed. */
void sealed_cache_put(struct sealed_cache *cache, const struct store *store, const char *name,
		      const char *digest, const struct client_key *key, uint8_t *sealed,
		      size_t length, uint64_t now);

/* The box of a name, if its key still lives a while and the secret still has its digest; NULL
 * otherwise. */
const struct sealed_value *sealed_cache_find(const struct sealed_cache *cache,
					     const struct store *store, const char *name,
					     const char *digest, uint64_t now);

/* The secret has another name now, and `digest`; what was kept of the new name goes. */
void sealed_cache_rename(struct sealed_cache *cache, const struct store *store, const char *from,
			 const char *to, const char *digest);

void sealed_cache_drop(struct sealed_cache *cache, const struct store *store, const char *name);
void sealed_cache_drop_store(struct sealed_cache *cache, const struct store *store);

#endif
