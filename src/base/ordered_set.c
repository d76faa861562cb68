/*
 * Ordered sets, by libc's tsearch.
 */
#include "sstorefs/ordered_set.h"

#include <search.h>
#include <stddef.h>
#include <stdint.h>

int compare_first_u32(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

void *set_find(const struct ordered_set *set, const void *key)
{
	void **found = set->root ? tfind(key, &set->root, set->compare) : NULL;

	return found ? *found : NULL;
}

void *set_add(struct ordered_set *set, void *item)
{
	void **found = tsearch(item, &set->root, set->compare);

	return found ? *found : NULL;
}

void set_remove(struct ordered_set *set, const void *item)
{
	tdelete(item, &set->root, set->compare);
}
