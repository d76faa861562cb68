/* Remembers the ETags of a listing's pages. */
#include "page_tags.h"

#include <stdlib.h>
#include <string.h>

#include "walk.h"

static void page_tag_clear(struct page_tag *tag)
{
	free(tag->etag);
	free(tag->cursor);
	*tag = (struct page_tag){0};
}

void page_tags_drop(struct page_tags **tags)
{
	for (size_t i = 0; *tags && i < PAGE_TAGS_MAX; i++)
		page_tag_clear(&(*tags)->pages[i]);
	free(*tags);
	*tags = NULL;
}

void listing_drop_tags(struct listing *listing)
{
	struct walk *walk = listing->walk;

	if (walk)
		walk->untagged = true;
	/* The page that is asked for by a tag borrows that until it comes. */
	if (walk && walk->revalidates && !walk->tags) {
		walk->tags = listing->tags;
		listing->tags = NULL;
	}
	page_tags_drop(&listing->tags);
}

void page_tags_keep(struct page_tags **tags, size_t index, const char *etag, const char *cursor)
{
	struct page_tag *tag;

	if (!*etag || index >= PAGE_TAGS_MAX)
		return;
	if (!*tags)
		*tags = calloc(1, sizeof **tags);
	if (!*tags)
		return;
	tag = &(*tags)->pages[index];
	page_tag_clear(tag);
	tag->etag = strdup(etag);
	tag->cursor = cursor ? strdup(cursor) : NULL;
	if (cursor && !tag->cursor)
		page_tag_clear(tag);
	if (index >= (*tags)->count)
		(*tags)->count = (unsigned)index + 1;
}

bool page_tags_are_complete(const struct page_tags *tags, uint64_t pages)
{
	if (!tags || tags->count != pages)
		return false;
	for (unsigned i = 0; i < tags->count; i++)
		if (!tags->pages[i].etag)
			return false;
	return true;
}
