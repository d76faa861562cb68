/*
 * The allocator of libcurl and its TLS library, which wipes whatever they free. free(3) of the
 * whole process does so too, but is lost where another allocator is preloaded.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sstorefs/log.h"
#include "sstorefs/net.h"

/* Each block is preceded by its size; 16 bytes, so that the block keeps malloc's alignment. */
#define PREFIX 16

static size_t block_size(const unsigned char *block)
{
	size_t size;

	memcpy(&size, block - PREFIX, sizeof(size));
	return size;
}

static void *wiping_malloc(size_t size)
{
	if (size > SIZE_MAX - PREFIX)
		return NULL;
	unsigned char *whole = malloc(PREFIX + size);

	if (!whole)
		return NULL;
	memcpy(whole, &size, sizeof(size));
	return whole + PREFIX;
}

static void wiping_free(void *block)
{
	if (!block)
		return;
	unsigned char *whole = (unsigned char *)block - PREFIX;

	explicit_bzero(whole, PREFIX + block_size(block));
	free(whole);
}

static void *wiping_realloc(void *block, size_t size)
{
	/* Never realloc(3): it may move the block and leave its old content behind. */
	void *grown = wiping_malloc(size);

	if (!grown || !block)
		return grown;
	size_t old = block_size(block);

	memcpy(grown, block, old < size ? old : size);
	wiping_free(block);
	return grown;
}

static void *wiping_calloc(size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	void *block = wiping_malloc(bytes);

	return block ? memset(block, 0, bytes) : NULL;
}

static char *wiping_strdup(const char *string)
{
	size_t size = strlen(string) + 1;
	char *copy = wiping_malloc(size);

	return copy ? memcpy(copy, string, size) : NULL;
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return size ? wiping_malloc(size) : NULL;
}

static void *openssl_realloc(void *block, size_t size, const char *file, int line)
{
	(void)file, (void)line;
	if (size)
		return wiping_realloc(block, size);
	wiping_free(block);
	return NULL;
}

static void openssl_free(void *block, const char *file, int line)
{
	(void)file, (void)line;
	wiping_free(block);
}

/*
 * libcurl's TLS library allocates for itself. Where it is OpenSSL, its hook is found at run time: a
 * daemon that links no libcrypto of its own then follows whatever libcurl was built with.
 */
static void openssl_wipes(void)
{
	int (*set)(void *(*)(size_t, const char *, int),
		   void *(*)(void *, size_t, const char *, int),
		   void (*)(void *, const char *, int));
	void *symbol = dlsym(RTLD_DEFAULT, "CRYPTO_set_mem_functions");

	if (!symbol) {
		log_line(LOG_DEBUG,
			 "no OpenSSL behind libcurl: its TLS buffers are not wiped by us");
		return;
	}
	memcpy(&set, &symbol, sizeof(set));
	if (!set(openssl_malloc, openssl_realloc, openssl_free))
		log_line(LOG_WARNING,
			 "OpenSSL had allocated memory before us: its buffers are not wiped");
}

int net_global_init(void)
{
	/* libcurl would write the keys of every TLS session to that file: with them a recorded
	 * connection can be read. */
	unsetenv("SSLKEYLOGFILE");
	openssl_wipes();
	CURLcode code = curl_global_init_mem(CURL_GLOBAL_DEFAULT, wiping_malloc, wiping_free,
					     wiping_realloc, wiping_strdup, wiping_calloc);

	return code == CURLE_OK ? 0 : code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EIO;
}
