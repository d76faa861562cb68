#pragma once

#include <limits.h>

#include "sstorefs/api_call.h"

/* Of client_keys.uses: the key is for one value, and no other value may be sealed under it. */
#define CLIENT_KEY_EXCLUSIVE UINT_MAX

/*
 * The client key of the account or of one store: fetched ahead of need, verified, used until
 * shortly before it expires.
 */
struct client_keys {
	struct catalog *catalog;
	const char *store_id;	  /* NULL: the key is the account's */
	struct client_key key;	  /* expires_at 0: none */
	uint64_t fetched_at;	  /* CLOCK_BOOTTIME, milliseconds */
	unsigned uses;		  /* values that were sealed under it, or CLIENT_KEY_EXCLUSIVE */
	struct api_call api_call; /* for the client key */
	struct api_call signing;  /* for the signing key, with `signing_key=api` */
	bool fetching, fetching_signing, has_signing;
	uint8_t signing_key[crypto_sign_PUBLICKEYBYTES];
	struct wait_list waits; /* woken when a fetch has ended, with or without success */
	/* Called once, if set, when the first attempt of a fetch has ended. */
	void (*attempted)(struct client_keys *keys);
	struct failure failure; /* of the last fetch or attempt; errnum 0: it succeeded */
	uint64_t failed_at;	/* CLOCK_BOOTTIME, milliseconds; 0: it succeeded */
};

/* Begin without a key, and end a fetch that runs. `store_id` is borrowed. */
void client_keys_init(struct client_keys *keys, struct catalog *catalog, const char *store_id);
void client_keys_finish(struct client_keys *keys);

/* Returns the keys that values for `store` are sealed under. */
struct client_keys *client_keys_of(const struct store *store);

/* Returns the key to seal under now. NULL: there is none, and either a fetch runs (wait in `waits`)
 * or it is too early for one (`failure` is set). */
const struct client_key *client_keys_get(struct client_keys *keys, struct failure *failure);

/* Fetches a key before one is needed. `attempted` is called once, from the loop: there is a key, or
 * `keys->failure` says why there is none yet; more attempts may follow. */
void client_keys_prefetch(struct client_keys *keys, void (*attempted)(struct client_keys *keys));

/* As client_keys_get, but the key is for one value alone: no value was or will be sealed under it
 * beside the caller's. */
const struct client_key *client_keys_get_exclusive(struct client_keys *keys,
						   struct failure *failure);

/* Counts a value that is sealed under the present key. True if it is the first. */
bool client_keys_mark_used(struct client_keys *keys);

/* True if `key` is the present key, and only one value was sealed under it. */
bool client_keys_used_once(const struct client_keys *keys, const struct client_key *key);

/* The service rejected `key`: if it is still the present key, it is not used any more. */
void client_keys_reject(struct client_keys *keys, const struct client_key *key);
