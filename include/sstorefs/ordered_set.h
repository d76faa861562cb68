#ifndef SSTOREFS_ORDERED_SET_H
#define SSTOREFS_ORDERED_SET_H

/*
 * An ordered set of pointers: libc's balanced tree (tsearch) under names that don't clash with ours.
 */
struct tree {
	int (*compare)(const void *left, const void *right);
	void *root;
};

/* The item that compares equal to `key`; NULL: none. */
void *tree_find(const struct tree *tree, const void *key);

/* Adds `item` unless an equal one is there. Returns the one that is in the tree then; NULL when memory ran out. */
void *tree_add(struct tree *tree, void *item);

/* Takes the item that equals `item` out; the item itself is not freed. */
void tree_remove(struct tree *tree, const void *item);

#endif
