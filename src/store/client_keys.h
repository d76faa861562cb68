#ifndef SSTOREFS_STORE_CLIENT_KEYS_H
#define SSTOREFS_STORE_CLIENT_KEYS_H

#include "sstorefs/inquiry.h"

/*
 * The client key: fetched ahead of need, verified, used until shortly before it dies.
 */
struct client_keys {
	struct catalog *catalog;
	struct client_key key; /* dies_at 0: none */
	uint64_t fetched_at;
	struct inquiry inquiry; /* for the client key */
	struct inquiry signing; /* for the signing key, with `signing_key=api` */
	bool fetching, asking_signing, has_signing, wanted_again;
	uint8_t signing_key[crypto_sign_PUBLICKEYBYTES];
	struct wait_list waits; /* woken when a fetch ended, one way or the other */
	struct failure failure; /* of the last fetch; error 0: it was good */
	uint64_t failed_at;
};

void client_keys_init(struct client_keys *keys, struct catalog *catalog);
void client_keys_finish(struct client_keys *keys);

/* The key to seal with now; NULL: there is none, and a fetch runs (wait in `waits`) or must not be tried (`*failure` is set). */
const struct client_key *client_keys_current(struct client_keys *keys, struct failure *failure);

/* Fetches another key, whatever is held: the service refused this one. */
void client_keys_renew(struct client_keys *keys);

#endif
