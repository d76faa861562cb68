/*
 * The digest that is shown of a secret: the service's own version tag, or one made here of its
 * metadata. Never a hash of a value.
 */
#include <sodium.h>

#include "digest.h"
#include "fs_internal.h"

const char *entry_digest(const struct entry *entry, struct entry_text *text)
{
	uint8_t hash[crypto_generichash_BYTES];
	crypto_generichash_state state;
	const char *id = entry->id ? entry->id : entry->name;

	if (entry->digest)
		return entry->digest;
	/* Over the id (or the name, where secrets have none) and the last change: another one after
	 * every change that the service shows. */
	crypto_generichash_init(&state, NULL, 0, sizeof(hash));
	crypto_generichash_update(&state, (const uint8_t *)id, strlen(id) + 1);
	crypto_generichash_update(&state, (const uint8_t *)&entry->modified_at,
				  sizeof(entry->modified_at));
	/* On Stripe an expiry may be all that a replacement changes of what is shown. */
	crypto_generichash_update(&state, (const uint8_t *)&entry->expires_at,
				  sizeof(entry->expires_at));
	crypto_generichash_final(&state, hash, sizeof(hash));
	return sodium_bin2base64(text->digest, sizeof(text->digest), hash, sizeof(hash),
				 sodium_base64_VARIANT_ORIGINAL);
}

const char *record_digest(const struct record *record, struct entry_text *text)
{
	struct entry entry;

	if (!record)
		return NULL;
	record_entry(record, &entry, text);
	return entry_digest(&entry, text);
}
