/* free(3) and realloc(3) of the whole process, its libraries included, wipe what they free. */
#include <dlfcn.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "sstorefs/hardening.h"

#ifndef SANITIZED

void free(void *block)
{
	/* The next `free` in lookup order: libc's, or that of an LD_PRELOADed allocator. */
	static void (*owner)(void *block);
	/* Volatile, for the compiler assumes that dlsym() never calls free(). */
	static volatile bool in_dlsym;
	size_t size;

	/* It frees the text of its last error, where the constructor of a library has caused one:
	 * that text is leaked. */
	if (!block || in_dlsym)
		return;
	if (!owner) {
		in_dlsym = true;
		void *symbol = dlsym(RTLD_NEXT, "free");

		in_dlsym = false;
		memcpy(&owner, &symbol, sizeof owner);
	}
	size = malloc_usable_size(block);
	/* A large block goes back to the kernel, which wipes it. */
	if (size < 2 * MMAP_THRESHOLD)
		explicit_bzero(block, size);
	owner(block);
}

/* Always moves the block: libc's realloc would leave bytes behind, those that are cut off, or all
 * of them where the block has to move. */
void *realloc(void *block, size_t size)
{
	size_t old;
	void *moved;

	if (!block)
		return malloc(size);
	if (!size) {
		free(block);
		return NULL;
	}
	moved = malloc(size);
	if (!moved)
		return NULL;
	old = malloc_usable_size(block);
	memcpy(moved, block, old < size ? old : size);
	free(block);
	return moved;
}

#endif
