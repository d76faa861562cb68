#pragma once

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

#include "sstorefs/clock.h"
#include "sstorefs/failure.h"

#define KEY_ID_SIZE 128

/*
 * Client keys: short-lived X25519 public keys under which secrets are sealed before they leave this
 * process. Source: doc/apis.md, Fastly 7 and GitHub 6.
 */
struct client_key {
	char id[KEY_ID_SIZE]; /* "" where keys have none */
	uint8_t public_key[crypto_box_PUBLICKEYBYTES];
	uint64_t expires_at; /* CLOCK_BOOTTIME, milliseconds; one second before the service forgets
				it, see client_key_verify */
};

/* A client key as the service sent it, decoded from base64 but not yet believed. Lengths are what
 * came, up to the array's size + 1 (longer is cut to that). */
struct client_key_response {
	char id[KEY_ID_SIZE];
	uint8_t public_key[crypto_box_PUBLICKEYBYTES + 1];
	size_t public_key_length;
	uint8_t signature[crypto_sign_BYTES + 1];
	size_t signature_length;
	wall_time_ns expires_at; /* the service's clock */
	wall_time_ns date;	 /* the reply's own Date; TIME_UNKNOWN if it had none */
};

/* Fastly's production signing key (doc/apis.md, Fastly 7), base64. */
#define FASTLY_SIGNING_KEY "CrO/A92vkxEZjtTW7D/Sr+1EMf/q9BahC0sfLkWa+0k="

/*
 * Verifies and takes over a client key as the service sent it: lengths, then the signing key, then
 * the Ed25519 signature over the raw 32 bytes, then the lifetime (expires_at minus date minus one
 * second, for Date is cut to whole seconds), counted from `sent_at`, when the request left in
 * CLOCK_BOOTTIME milliseconds.
 *
 * `pinned` is the signing key that is trusted, or NULL to trust `sent_key`, what the API says.
 * Where both are given they must be equal. At least one is given.
 *
 * Returns 0, -EKEYREJECTED if the signature does not fit the signing key, or -EBADMSG if the key
 * could not be used whatever its signature; `why` is then a phrase for the user ("its signature
 * does not verify"). `key` is untouched on failure.
 */
int client_key_verify(struct client_key *key, const struct client_key_response *sent,
		      const uint8_t *pinned, const uint8_t *sent_key, uint64_t sent_at,
		      const char **why);

/*
 * Takes over a key that is neither signed nor ends: only TLS vouches for it. It is believed
 * for an hour from `sent_at` on, when the request left.
 *
 * Returns 0, or -EBADMSG as client_key_verify does.
 */
int client_key_accept(struct client_key *key, const struct client_key_response *sent,
		      uint64_t sent_at, const char **why);

/* Seals `length` bytes under `key` into `sealed`, of length + crypto_box_SEALBYTES bytes. */
void client_key_seal(const struct client_key *key, const uint8_t *value, size_t length,
		     uint8_t *sealed);

/* Decodes a base64 Ed25519 key of exactly 32 bytes. Returns 0 or -EINVAL. */
int signing_key_decode(uint8_t key[static crypto_sign_PUBLICKEYBYTES], const char *base64);
