/*
 * Ordered sets, by libc's tsearch.
 */
#include "sstorefs/ordered_set.h"

#include <search.h>
#include <stddef.h>

void *tree_find(const struct tree *tree, const void *key)
{
	void **found = tree->root ? tfind(key, &tree->root, tree->compare) : NULL;

	return found ? *found : NULL;
}

void *tree_add(struct tree *tree, void *item)
{
	void **found = tsearch(item, &tree->root, tree->compare);

	return found ? *found : NULL;
}

void tree_remove(struct tree *tree, const void *item)
{
	tdelete(item, &tree->root, tree->compare);
}
