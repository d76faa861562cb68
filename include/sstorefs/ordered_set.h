#pragma once

/*
 * An ordered set of pointers: libc's balanced tree (tsearch) under names that don't clash with
 * ours.
 */
struct ordered_set {
	int (*compare)(const void *left, const void *right);
	void *root;
};

/* The order of items whose first member is a uint32_t or a pid_t: that alone is a key too. */
int compare_first_u32(const void *left, const void *right);

/* The item that compares equal to `key`; NULL: none. */
void *set_find(const struct ordered_set *set, const void *key);

/* Adds `item` unless an equal one is there. Returns the one that is in the tree then; NULL when
 * memory ran out. */
void *set_add(struct ordered_set *set, void *item);

/* Takes the item that equals `item` out; the item itself is not freed. */
void set_remove(struct ordered_set *set, const void *item);
