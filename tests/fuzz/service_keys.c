/* The keys of the modelled service, and values as it reads them: unsealed, unescaped, hashed. */
#include "service_keys.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "byte_source.h"
#include "service_model.h"

/* The client key, and the key that signs it: made once, signing takes longer than all the rest. */
static struct {
	uint8_t signing_key[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES];
	uint8_t public_key[crypto_box_PUBLICKEYBYTES], private_key[crypto_box_SECRETKEYBYTES];
	uint8_t signature[crypto_sign_BYTES];
	bool made;
} keys;

void model_keys_make(void)
{
	static const uint8_t seed[crypto_sign_SEEDBYTES] = {1};

	if (keys.made)
		return;
	crypto_sign_seed_keypair(keys.signing_key, keys.secret, seed);
	crypto_box_seed_keypair(keys.public_key, keys.private_key, seed);
	crypto_sign_detached(keys.signature, NULL, keys.public_key, sizeof keys.public_key,
			     keys.secret);
	keys.made = true;
}

const uint8_t *service_signing_key(void)
{
	model_keys_make();
	return keys.signing_key;
}

uint64_t service_hash(const void *value, size_t length)
{
	static const uint8_t key[crypto_shorthash_KEYBYTES] = {1};
	uint64_t hash;

	crypto_shorthash((uint8_t *)&hash, value, length, key);
	return hash | 1;
}

json_t *model_body(const struct locked *body)
{
	json_t *json = json_loadb((const char *)body->data, body->length, JSON_ALLOW_NUL, NULL);
	json_t *object = json_incref(json_is_array(json) ? json_array_get(json, 0) : json);

	json_decref(json);
	MUST(json_is_object(object));
	return object;
}

/* The value in a request's body, as the service would read it: what was asked for may be gone by
 * now. To be freed. */
static uint8_t *value_of_json(const struct provider *provider, const struct locked *body,
			      size_t *length)
{
	json_t *json = model_body(body);
	const json_t *text = json_object_get(json, provider->store_keys ? "encrypted_value"
						   : provider->seals	? "secret"
									: "value");
	uint8_t *value = malloc(body->length);

	MUST(value && json_is_string(text));
	*length = json_string_length(text);
	if (provider->seals)
		MUST(!sodium_base642bin(value, body->length, json_string_value(text), *length, NULL,
					length, NULL, sodium_base64_VARIANT_ORIGINAL));
	else
		memcpy(value, json_string_value(text), *length);
	json_decref(json);
	return value;
}

static uint8_t *value_of_form(const struct locked *body, size_t *length)
{
	const char *at = memmem(body->data, body->length, "payload=", 8),
		   *end = (const char *)body->data + body->length;
	uint8_t *value = malloc(body->length);
	unsigned byte;

	MUST(value && at);
	*length = 0;
	for (at += 8; at < end && *at != '&'; at++) {
		char digits[3] = {0};

		byte = (uint8_t)*at;
		if (*at == '%') {
			MUST(end - at > 2);
			memcpy(digits, at + 1, 2);
			byte = (unsigned)strtoul(digits, NULL, 16);
			at += 2;
		}
		value[(*length)++] = (uint8_t)byte;
	}
	return value;
}

uint64_t model_value(const struct provider *provider, const struct locked *body)
{
	size_t length;
	uint8_t *value = provider == &provider_stripe ? value_of_form(body, &length)
						      : value_of_json(provider, body, &length);
	uint8_t *opened;
	uint64_t hash = 0;
	bool is_open = true;

	if (provider->seals) {
		MUST(length > crypto_box_SEALBYTES);
		opened = malloc(length);
		MUST(opened);
		is_open = !crypto_box_seal_open(opened, value, length, keys.public_key,
						keys.private_key);
		MUST(is_open || provider->store_keys);
		length -= crypto_box_SEALBYTES;
		free(value);
		value = opened;
	}
	if (is_open)
		hash = service_hash(value, length);
	free(value);
	return hash;
}

static const char *public_key_text(char text[static 64])
{
	return sodium_bin2base64(text, 64, keys.public_key, sizeof keys.public_key,
				 sodium_base64_VARIANT_ORIGINAL);
}

json_t *model_store_key(const char *id)
{
	char public_key[64];

	return json_pack("{s:s s:s}", "key_id", id, "key", public_key_text(public_key));
}

json_t *model_client_key(const char *expires_at)
{
	char public_key[64], signature[128];

	sodium_bin2base64(signature, sizeof signature, keys.signature, sizeof keys.signature,
			  sodium_base64_VARIANT_ORIGINAL);
	return json_pack("{s:s s:s s:s}", "public_key", public_key_text(public_key), "signature",
			 signature, "expires_at", expires_at);
}

json_t *model_signing_key(void)
{
	char key[64];

	return json_pack("{s:s}", "signing_key",
			 sodium_bin2base64(key, sizeof key, keys.signing_key,
					   sizeof keys.signing_key,
					   sodium_base64_VARIANT_ORIGINAL));
}
