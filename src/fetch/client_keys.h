/* The client key: fetched ahead of need, verified, used until shortly before it expires. */
#ifndef SSTOREFS_FETCH_CLIENT_KEYS_H
#define SSTOREFS_FETCH_CLIENT_KEYS_H

#include "sstorefs/api_call.h"

/*
 * The client key: fetched ahead of need, verified, used until shortly before it dies.
 */
struct client_keys {
	struct catalog *catalog;
	struct client_key key; /* dies_at 0: none */
	uint64_t fetched_at;
	bool is_used, is_shared;  /* one value, and more than one, were sealed under it */
	bool is_taken;		  /* it is for one value alone */
	struct api_call api_call; /* for the client key */
	struct api_call signing;  /* for the signing key, with `signing_key=api` */
	bool fetching, fetching_signing, has_signing, wanted_again;
	uint8_t signing_key[crypto_sign_PUBLICKEYBYTES];
	struct wait_list waits; /* woken when a fetch ended, one way or the other */
	struct failure failure; /* of the last fetch; error 0: it was good */
	uint64_t failed_at;
};

void client_keys_init(struct client_keys *keys, struct catalog *catalog);
void client_keys_finish(struct client_keys *keys);

/* The key to seal with now; NULL: there is none, and a fetch runs (wait in `waits`) or must not be
 * tried (`*failure` is set). */
const struct client_key *client_keys_get(struct client_keys *keys, struct failure *failure);

/* The same, but for one value alone: a key under which nothing was sealed, and nothing else will
 * be. */
const struct client_key *client_keys_get_exclusive(struct client_keys *keys,
						   struct failure *failure);

/* The current key is used now. Whether that was for the first time. */
bool client_keys_mark_used(struct client_keys *keys);

/* Whether this key is the current one, and only one value was sealed under it. */
bool client_keys_used_once(const struct client_keys *keys, const struct client_key *key);

/* The service refused this key: if it is still the current one, it is none any more. */
void client_keys_reject(struct client_keys *keys, const struct client_key *key);

#endif
