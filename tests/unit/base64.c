/* Base64: the same as libsodium's, for every length that matters and more. */
#include "sstorefs/base64.h"

#include <sodium.h>

#include "check.h"

enum { LENGTH_MAX = 80 };

static void test_it_is_what_libsodium_writes(void **state)
{
	uint8_t bytes[LENGTH_MAX];
	char text[BASE64_SIZE(LENGTH_MAX)], sodiums[BASE64_SIZE(LENGTH_MAX)];

	(void)state;
	for (size_t length = 0; length <= LENGTH_MAX; length++) {
		for (unsigned turn = 0; turn < 50; turn++) {
			randombytes_buf(bytes, length);
			sodium_bin2base64(sodiums, sizeof sodiums, bytes, length,
					  sodium_base64_VARIANT_ORIGINAL);
			assert_string_equal(base64_encode(text, bytes, length), sodiums);
		}
	}
}

static void test_the_size_is_exact(void **state)
{
	(void)state;
	for (size_t length = 0; length <= LENGTH_MAX; length++)
		assert_int_equal(BASE64_SIZE(length),
				 sodium_base64_ENCODED_LEN(length, sodium_base64_VARIANT_ORIGINAL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_is_what_libsodium_writes),
		cmocka_unit_test(test_the_size_is_exact),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
