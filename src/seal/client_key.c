/* Client keys: verifies them, and seals values under them. */
#include <errno.h>
#include <string.h>

#include "sstorefs/seal.h"

/* For a key whose answer had no Date, so that the service's clock is not known: a tenth of what
 * Fastly's keys live (doc/apis.md, Fastly 7). */
#define LIFETIME_WITHOUT_DATE (60 * NANOSECONDS)

/* Date is cut to whole seconds: the service may have been up to this much further on when it
 * answered. */
#define DATE_ERROR NANOSECONDS

/* Milliseconds for which a key without an end is believed (doc/apis.md, GitHub 6). */
#define LIFETIME_UNSIGNED 3600000

static const char *check_length(const struct client_key_response *sent)
{
	return sent->public_key_length != crypto_box_PUBLICKEYBYTES ? "it is no key of 32 bytes"
								    : NULL;
}

static const char *check_signature(const struct client_key_response *sent, const uint8_t *pinned,
				   const uint8_t *sent_key)
{
	if (sent->signature_length != crypto_sign_BYTES)
		return "its signature is none of 64 bytes";
	if (!pinned && !sent_key)
		return "there is no signing key to verify it with";
	if (pinned && sent_key && sodium_memcmp(pinned, sent_key, crypto_sign_PUBLICKEYBYTES) != 0)
		return "the service signs with another key than the one that is trusted";
	if (crypto_sign_verify_detached(sent->signature, sent->public_key,
					crypto_box_PUBLICKEYBYTES, pinned ? pinned : sent_key) != 0)
		return "its signature does not verify";
	return NULL;
}

static const char *check_lifetime(const struct client_key_response *sent, uint64_t *milliseconds)
{
	int64_t lifetime = LIFETIME_WITHOUT_DATE;

	if (sent->expires_at == TIME_UNKNOWN)
		return "it does not say when it expires";
	if (sent->date != TIME_UNKNOWN &&
	    __builtin_sub_overflow(sent->expires_at, sent->date, &lifetime))
		return "it expires at no sensible time";
	if (lifetime <= DATE_ERROR)
		return "it has expired";
	*milliseconds = (uint64_t)(lifetime - DATE_ERROR) / 1000000;
	return NULL;
}

/* libsodium refuses keys of low order only when it seals, which is too late for a message. */
static const char *check_strength(const struct client_key_response *sent)
{
	uint8_t sealed[crypto_box_SEALBYTES] = {0};

	return crypto_box_seal(sealed, sealed, 0, sent->public_key) != 0
		       ? "nothing can be sealed under it"
		       : NULL;
}

/* Takes over the key unless something is `wrong` with it. Returns 0 or -EBADMSG. */
static int take_over(struct client_key *key, const struct client_key_response *sent,
		     uint64_t expires_at, const char *wrong, const char **why)
{
	if (!wrong)
		wrong = check_strength(sent);
	if (wrong) {
		*why = wrong;
		return -EBADMSG;
	}
	*key = (struct client_key){.expires_at = expires_at};
	memcpy(key->public_key, sent->public_key, sizeof(key->public_key));
	memcpy(key->id, sent->id, sizeof(key->id));
	return 0;
}

int client_key_verify(struct client_key *key, const struct client_key_response *sent,
		      const uint8_t *pinned, const uint8_t *sent_key, uint64_t sent_at,
		      const char **why)
{
	uint64_t lifetime = 0;
	const char *wrong = check_length(sent);
	const char *misfit = wrong ? NULL : check_signature(sent, pinned, sent_key);

	if (misfit) {
		*why = misfit;
		return -EKEYREJECTED;
	}
	if (!wrong)
		wrong = check_lifetime(sent, &lifetime);
	return take_over(key, sent, sent_at + lifetime, wrong, why);
}

int client_key_accept(struct client_key *key, const struct client_key_response *sent,
		      uint64_t sent_at, const char **why)
{
	return take_over(key, sent, sent_at + LIFETIME_UNSIGNED, check_length(sent), why);
}

void client_key_seal(const struct client_key *key, const uint8_t *value, size_t length,
		     uint8_t *sealed)
{
	/* It can't fail: client_key_verify has sealed under this key before. */
	if (crypto_box_seal(sealed, value, length, key->public_key) != 0)
		sodium_memzero(sealed, length + crypto_box_SEALBYTES);
}

int signing_key_decode(uint8_t key[static crypto_sign_PUBLICKEYBYTES], const char *base64)
{
	uint8_t decoded[crypto_sign_PUBLICKEYBYTES];
	size_t length;

	if (sodium_base642bin(decoded, sizeof(decoded), base64, strlen(base64), NULL, &length, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    length != sizeof(decoded))
		return -EINVAL;
	memcpy(key, decoded, sizeof(decoded));
	return 0;
}
