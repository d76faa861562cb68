#ifndef SSTOREFS_CACHE_SEALED_CACHE_H
#define SSTOREFS_CACHE_SEALED_CACHE_H

#include <stdint.h>

#include "sstorefs/provider.h"
#include "sstorefs/seal.h"

struct store;
struct entry;

/*
 * Sealed boxes of the last writes: what a secret is renamed from at a service that can neither rename nor copy. They can't be opened here, and are of use only while
 * their client key lives.
 */
#define BOXES_MAX 32

struct box {
	const struct store *store; /* NULL: free */
	char name[256];
	char digest
		[DIGEST_TEXT_SIZE]; /* of the secret that came of it: another means that somebody has changed it */
	struct client_key key;
	uint8_t *sealed;
	size_t length;
	uint64_t kept_at;
};

struct boxes {
	struct box boxes[BOXES_MAX];
};

void boxes_finish(struct boxes *boxes);

/* Keeps `sealed` (taken over, malloc'd) as what was last written to the name. Without a digest it is of no use and freed. */
void boxes_keep(struct boxes *boxes, const struct store *store, const char *name, const char *digest,
		const struct client_key *key, uint8_t *sealed, size_t length, uint64_t now);

/* The box of a name, if its key still lives a while and the secret still has its digest; NULL otherwise. */
const struct box *boxes_find(const struct boxes *boxes, const struct store *store, const char *name,
			     const char *digest, uint64_t now);

/* The secret has another name now, and `digest`; what was kept of the new name goes. */
void boxes_rename(struct boxes *boxes, const struct store *store, const char *from, const char *to,
		  const char *digest);

void boxes_forget(struct boxes *boxes, const struct store *store, const char *name);
void boxes_forget_store(struct boxes *boxes, const struct store *store);

#endif
