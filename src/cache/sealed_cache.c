/*
 * The sealed boxes of the last writes.
 */
#include "sealed_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN 5000 /* milliseconds that a key must still live for its box to be worth sending */

static void box_clear(struct box *box)
{
	free(box->sealed);
	*box = (struct box){0};
}

void boxes_finish(struct boxes *boxes)
{
	for (size_t i = 0; i < BOXES_MAX; i++)
		box_clear(&boxes->boxes[i]);
}

static struct box *box_of(struct boxes *boxes, const struct store *store, const char *name)
{
	for (size_t i = 0; i < BOXES_MAX; i++)
		if (boxes->boxes[i].store == store && !strcmp(boxes->boxes[i].name, name))
			return &boxes->boxes[i];
	return NULL;
}

/* A free one, or the oldest. */
static struct box *box_to_fill(struct boxes *boxes)
{
	struct box *oldest = &boxes->boxes[0];

	for (size_t i = 0; i < BOXES_MAX; i++) {
		struct box *box = &boxes->boxes[i];

		if (!box->store)
			return box;
		if (box->kept_at < oldest->kept_at)
			oldest = box;
	}
	return oldest;
}

void boxes_keep(struct boxes *boxes, const struct store *store, const char *name, const char *digest,
		const struct client_key *key, uint8_t *sealed, size_t length, uint64_t now)
{
	struct box *box = box_of(boxes, store, name);

	if (box)
		box_clear(box);
	if (!digest || strlen(digest) >= sizeof box->digest || !sealed) {
		free(sealed);
		return;
	}
	box = box_to_fill(boxes);
	box_clear(box);
	*box = (struct box){.store = store, .key = *key, .sealed = sealed, .length = length, .kept_at = now};
	strcpy(box->name, name);
	strcpy(box->digest, digest);
}

const struct box *boxes_find(const struct boxes *boxes, const struct store *store, const char *name,
			     const char *digest, uint64_t now)
{
	const struct box *box = box_of((struct boxes *)(uintptr_t)boxes, store, name);

	if (!box || !digest || strcmp(box->digest, digest) != 0 || now + MARGIN >= box->key.dies_at)
		return NULL;
	return box;
}

void boxes_rename(struct boxes *boxes, const struct store *store, const char *from, const char *to,
		  const char *digest)
{
	struct box *box;

	boxes_forget(boxes, store, to);
	box = box_of(boxes, store, from);
	if (!box)
		return;
	snprintf(box->name, sizeof box->name, "%s", to);
	snprintf(box->digest, sizeof box->digest, "%s", digest);
}

void boxes_forget(struct boxes *boxes, const struct store *store, const char *name)
{
	struct box *box = box_of(boxes, store, name);

	if (box)
		box_clear(box);
}

void boxes_forget_store(struct boxes *boxes, const struct store *store)
{
	for (size_t i = 0; i < BOXES_MAX; i++)
		if (boxes->boxes[i].store == store)
			box_clear(&boxes->boxes[i]);
}
