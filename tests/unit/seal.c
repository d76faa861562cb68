/* Client keys: which are believed. The triple is a recorded one (doc/apis.md, Fastly 7). */
#include "sstorefs/seal.h"

#include <errno.h>
#include <string.h>

#include "check.h"

#define PUBLIC_KEY "2iMPR4MnTZ3vC2PjShB6PQM8wLb2ckfUOLKwex5sYUc="
#define SIGNATURE                                                                                  \
	"xfLzo9i8KTwie/FZID5ZAkPWiCCzbV1T77xUrzuRx3zUvdnF/I6m9Q0WKTKl8qW++NDPhrc/1wmBvILV7EmdAw=="

static uint8_t signing_key[crypto_sign_PUBLICKEYBYTES];

static wall_time_ns moment(const char *text)
{
	wall_time_ns time;

	assert_int_equal(time_parse_rfc3339(text, strlen(text), &time), 0);
	return time;
}

static struct client_key_response recorded(void)
{
	struct client_key_response sent = {
		.expires_at = moment("2023-11-27T16:04:54.798109645Z"),
		.date = moment("2023-11-27T15:54:54Z"),
	};

	assert_int_equal(sodium_base642bin(sent.public_key, sizeof(sent.public_key), PUBLIC_KEY,
					   strlen(PUBLIC_KEY), NULL, &sent.public_key_length, NULL,
					   sodium_base64_VARIANT_ORIGINAL),
			 0);
	assert_int_equal(sodium_base642bin(sent.signature, sizeof(sent.signature), SIGNATURE,
					   strlen(SIGNATURE), NULL, &sent.signature_length, NULL,
					   sodium_base64_VARIANT_ORIGINAL),
			 0);
	return sent;
}

static void refused_by(const struct client_key_response *sent, const uint8_t *pinned,
		       const uint8_t *sent_key, const char *because)
{
	struct client_key key, before;
	const char *why = NULL;
	int failed;

	memset(&key, 0x5a, sizeof(key));
	before = key;
	failed = client_key_verify(&key, sent, pinned, sent_key, 1000, &why);
	assert_non_null(why);
	assert_int_equal(failed, strstr(why, "sign") ? -EKEYREJECTED : -EBADMSG);
	if (!strstr(why, because))
		fail_msg("refused because \"%s\", not \"%s\"", why, because);
	assert_memory_equal(&key, &before, sizeof(key));
}

static void refused(const struct client_key_response *sent, const char *because)
{
	refused_by(sent, signing_key, NULL, because);
}

static void test_the_recorded_triple_is_accepted(void **state)
{
	struct client_key_response sent = recorded();
	struct client_key key;
	const char *why = NULL;

	(void)state;
	assert_int_equal(client_key_verify(&key, &sent, signing_key, NULL, 5000, &why), 0);
	assert_null(why);
	assert_memory_equal(key.public_key, sent.public_key, sizeof(key.public_key));
	/* Ten minutes and 798 ms from the send, less the second by which Date may be wrong. */
	assert_int_equal(key.expires_at, 5000 + 600798 - 1000);
	assert_int_equal(client_key_verify(&key, &sent, NULL, signing_key, 5000, &why), 0);
	assert_int_equal(client_key_verify(&key, &sent, signing_key, signing_key, 5000, &why), 0);
}

static void test_every_forgery_of_one_bit_is_refused(void **state)
{
	size_t bit;

	(void)state;
	for (bit = 0; bit < 8 * crypto_box_PUBLICKEYBYTES; bit++) {
		struct client_key_response sent = recorded();

		sent.public_key[bit / 8] ^= (uint8_t)(1 << bit % 8);
		refused(&sent, "signature does not verify");
	}
	for (bit = 0; bit < 8 * crypto_sign_BYTES; bit++) {
		struct client_key_response sent = recorded();

		sent.signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
		refused(&sent, "signature does not verify");
	}
	for (bit = 0; bit < 8 * sizeof(signing_key); bit++) {
		struct client_key_response sent = recorded();
		uint8_t other[sizeof(signing_key)];

		memcpy(other, signing_key, sizeof(other));
		other[bit / 8] ^= (uint8_t)(1 << bit % 8);
		refused_by(&sent, other, NULL, "signature does not verify");
		refused_by(&sent, signing_key, other, "another key");
	}
}

/* Of a service that signs none: only what a key must be at least is checked. */
static void test_a_key_without_signature_is_believed_for_an_hour(void **state)
{
	static const size_t lengths[] = {0, 31, 33};
	struct client_key_response sent = recorded();
	struct client_key key = {.expires_at = 7};
	const char *why = NULL;

	(void)state;
	strcpy(sent.id, "568250167242549743");
	sent.signature_length = 0;
	sent.expires_at = TIME_UNKNOWN;
	assert_int_equal(client_key_accept(&key, &sent, 1000, &why), 0);
	assert_int_equal(key.expires_at, 1000 + 3600000);
	assert_string_equal(key.id, sent.id);
	assert_memory_equal(key.public_key, sent.public_key, sizeof(key.public_key));
	key.expires_at = 7;
	for (size_t i = 0; i < COUNT(lengths); i++) {
		sent.public_key_length = lengths[i];
		assert_int_equal(client_key_accept(&key, &sent, 1000, &why), -EBADMSG);
		assert_string_equal(why, "it is no key of 32 bytes");
	}
	sent.public_key_length = crypto_box_PUBLICKEYBYTES;
	memset(sent.public_key, 0, sizeof(sent.public_key));
	assert_int_equal(client_key_accept(&key, &sent, 1000, &why), -EBADMSG);
	assert_string_equal(why, "nothing can be sealed under it");
	assert_int_equal(key.expires_at, 7);
}

/* A signature over the base64 text, by a key of ours, next to one over the raw bytes. */
static void test_only_the_raw_bytes_are_signed(void **state)
{
	uint8_t public_key[crypto_sign_PUBLICKEYBYTES], secret_key[crypto_sign_SECRETKEYBYTES];
	struct client_key_response sent = recorded();
	struct client_key key;
	const char *why;

	(void)state;
	crypto_sign_keypair(public_key, secret_key);
	crypto_sign_detached(sent.signature, NULL, (const uint8_t *)PUBLIC_KEY, strlen(PUBLIC_KEY),
			     secret_key);
	refused_by(&sent, public_key, NULL, "signature does not verify");
	crypto_sign_detached(sent.signature, NULL, sent.public_key, crypto_box_PUBLICKEYBYTES,
			     secret_key);
	assert_int_equal(client_key_verify(&key, &sent, public_key, NULL, 0, &why), 0);
	refused(&sent, "signature does not verify");
}

static void test_wrong_lengths_are_refused_first(void **state)
{
	static const size_t key_lengths[] = {0, 31, 33}, signature_lengths[] = {0, 63, 65};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(key_lengths); i++) {
		struct client_key_response sent = recorded();

		sent.public_key_length = key_lengths[i];
		refused_by(&sent, NULL, NULL, "no key of 32 bytes");
		sent = recorded();
		sent.signature_length = signature_lengths[i];
		refused_by(&sent, NULL, NULL, "none of 64 bytes");
	}
}

static void test_checks_come_in_their_order(void **state)
{
	struct client_key_response sent = recorded();
	uint8_t other[sizeof(signing_key)] = {1};

	(void)state;
	sent.expires_at = sent.date;
	refused(&sent, "expired");
	sent.signature[0] ^= 1;
	refused(&sent, "signature does not verify");
	refused_by(&sent, signing_key, other, "another key");
	refused_by(&sent, NULL, NULL, "no signing key");
	sent.signature_length = 63;
	refused_by(&sent, signing_key, other, "64 bytes");
	sent.public_key_length = 31;
	refused_by(&sent, signing_key, other, "32 bytes");
}

static void test_lifetimes_are_counted_by_the_services_clock(void **state)
{
	static const struct {
		const char *expires_at, *date;
		int64_t milliseconds; /* below 0: refused */
	} cases[] = {
		{"2023-11-27T16:04:54Z", "2023-11-27T15:54:54Z", 599000},
		{"2050-01-01T00:10:00Z", "2050-01-01T00:00:00Z", 599000},
		{"1990-01-01T00:10:00Z", "1990-01-01T00:00:00Z", 599000},
		{"2023-11-27T15:54:55.001Z", "2023-11-27T15:54:54Z", 1},
		{"2023-11-27T15:54:55Z", "2023-11-27T15:54:54Z", -1},
		{"2023-11-27T15:54:54Z", "2023-11-27T15:54:54Z", -1},
		{"2001-01-01T00:00:00Z", "2023-11-27T15:54:54Z", -1},
		{"9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", -1},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct client_key_response sent = recorded();
		struct client_key key;
		const char *why;

		sent.expires_at = moment(cases[i].expires_at);
		sent.date = moment(cases[i].date);
		if (cases[i].milliseconds < 0) {
			refused(&sent, "expire");
			continue;
		}
		assert_int_equal(client_key_verify(&key, &sent, signing_key, NULL, 7, &why), 0);
		assert_int_equal(key.expires_at, 7 + cases[i].milliseconds);
	}
}

static void test_without_a_date_a_key_lives_a_minute(void **state)
{
	struct client_key_response sent = recorded();
	struct client_key key;
	const char *why;

	(void)state;
	sent.date = TIME_UNKNOWN;
	assert_int_equal(client_key_verify(&key, &sent, signing_key, NULL, 7, &why), 0);
	assert_int_equal(key.expires_at, 7 + 59000);
	sent.expires_at = TIME_UNKNOWN;
	refused(&sent, "when it expires");
}

/* libsodium would refuse to seal under it, when it is too late to report it. */
static void test_a_well_signed_key_of_low_order_is_refused(void **state)
{
	uint8_t public_key[crypto_sign_PUBLICKEYBYTES], secret_key[crypto_sign_SECRETKEYBYTES];
	struct client_key_response sent = recorded();

	(void)state;
	memset(sent.public_key, 0, sizeof(sent.public_key));
	crypto_sign_keypair(public_key, secret_key);
	crypto_sign_detached(sent.signature, NULL, sent.public_key, crypto_box_PUBLICKEYBYTES,
			     secret_key);
	refused_by(&sent, public_key, NULL, "nothing can be sealed");
}

static void test_what_is_sealed_opens_with_the_private_key_alone(void **state)
{
	static const size_t lengths[] = {0, 1, 16, 65536};
	static uint8_t value[65536], sealed[65536 + crypto_box_SEALBYTES], again[sizeof(sealed)],
		opened[65536];
	uint8_t private_key[crypto_box_SECRETKEYBYTES];
	struct client_key key;
	size_t i;

	(void)state;
	crypto_box_keypair(key.public_key, private_key);
	randombytes_buf(value, sizeof(value));
	for (i = 0; i < COUNT(lengths); i++) {
		client_key_seal(&key, value, lengths[i], sealed);
		assert_int_equal(crypto_box_seal_open(opened, sealed,
						      lengths[i] + crypto_box_SEALBYTES,
						      key.public_key, private_key),
				 0);
		assert_memory_equal(opened, value, lengths[i]);
		client_key_seal(&key, value, lengths[i], again);
		assert_memory_not_equal(sealed, again, crypto_box_SEALBYTES);
	}
	sealed[40] ^= 1;
	assert_int_not_equal(
		crypto_box_seal_open(opened, sealed, sizeof(sealed), key.public_key, private_key),
		0);
}

static void test_signing_keys_are_32_bytes_in_base64(void **state)
{
	static const char *const bad[] = {
		"",
		"no base64!",
		"CrO/A92vkxEZjtTW7D/Sr+1EMf/q9BahC0sfLkWa+0",
		"CrO/A92vkxEZjtTW7D/Sr+1EMf/q9BahC0sfLkWa+0k",
		"CrO/A92vkxEZjtTW7D/Sr+1EMf/q9BahC0sfLkWa+w==",
		"CrO/A92vkxEZjtTW7D/Sr+1EMf/q9BahC0sfLkWa+0kA",
		"CrO/A92vkxEZjtTW7D/Sr+1EMf/q9BahC0sfLkWa+0k= ",
	};
	uint8_t key[crypto_sign_PUBLICKEYBYTES] = {7}, before[sizeof(key)] = {7};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		assert_int_equal(signing_key_decode(key, bad[i]), -EINVAL);
		assert_memory_equal(key, before, sizeof(key));
	}
	assert_int_equal(signing_key_decode(key, FASTLY_SIGNING_KEY), 0);
	assert_int_equal(key[0], 0x0a);
	assert_int_equal(key[31], 0x49);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_recorded_triple_is_accepted),
		cmocka_unit_test(test_every_forgery_of_one_bit_is_refused),
		cmocka_unit_test(test_a_key_without_signature_is_believed_for_an_hour),
		cmocka_unit_test(test_only_the_raw_bytes_are_signed),
		cmocka_unit_test(test_wrong_lengths_are_refused_first),
		cmocka_unit_test(test_checks_come_in_their_order),
		cmocka_unit_test(test_lifetimes_are_counted_by_the_services_clock),
		cmocka_unit_test(test_without_a_date_a_key_lives_a_minute),
		cmocka_unit_test(test_a_well_signed_key_of_low_order_is_refused),
		cmocka_unit_test(test_what_is_sealed_opens_with_the_private_key_alone),
		cmocka_unit_test(test_signing_keys_are_32_bytes_in_base64),
	};

	if (sodium_init() < 0 || signing_key_decode(signing_key, FASTLY_SIGNING_KEY) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
