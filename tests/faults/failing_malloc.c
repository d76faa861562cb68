/*
 * Preloaded into a daemon: allocations fail while the file that FAILING_MALLOC names holds a number
 * N other than 0: then each one of N at random does. All else is malloc's own.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const volatile char *order;

static void read_order(void)
{
	const char *path = getenv("FAILING_MALLOC");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *page = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	if (page != MAP_FAILED)
		order = page;
	if (fd >= 0)
		close(fd);
}

__attribute__((constructor)) static void begin(void)
{
	read_order();
}

/* Whether this one fails. */
static int fails(void)
{
	static uint64_t state = 88172645463325252u;
	unsigned one_of = order ? (unsigned)atoi((const char *)order) : 0;

	if (!one_of)
		return 0;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	if (state % one_of)
		return 0;
	errno = ENOMEM;
	return 1;
}

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
	return fails() ? NULL : __libc_realloc(block, size);
}
