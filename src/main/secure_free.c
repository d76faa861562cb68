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
	/* Volatile, for the compiler is told that dlsym() never comes back here. */
	static volatile bool asks;
	size_t size;

	/* It does: it frees the text of its last error, where the constructor of a library has made
	 * one. That stays. */
	if (!block || asks)
		return;
	if (!owner) {
		asks = true;
		void *symbol = dlsym(RTLD_NEXT, "free");

		asks = false;
		memcpy(&owner, &symbol, sizeof owner);
	}
	size = malloc_usable_size(block);
	/* A large block goes back to the kernel, which wipes it. */
	if (size < 2 * MMAP_THRESHOLD)
		explicit_bzero(block, size);
	owner(block);
}

/* Never in place: what is cut off, or all of it where it has to move, would stay behind. */
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
