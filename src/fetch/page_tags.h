#pragma once

#include "cache/listing.h"

/* A longer listing is fetched anew each time. */
#define PAGE_TAGS_MAX 32

/*
 * The ETags of all pages of a listing, by which the service tells that it has not changed (RFC
 * 9110, 13.1.2). They are dropped when the cache gets a local change, which they do not include.
 */
struct page_tags {
	unsigned count;
	struct page_tag {
		char *etag;
		char *cursor; /* where pages are named by cursors; NULL: the first */
	} pages[PAGE_TAGS_MAX];
};

/* Frees the tags, and sets `*tags` to NULL. */
void page_tags_drop(struct page_tags **tags);

/* Drops the tags of a listing that is not as its pages were any more, and of the walk that runs. */
void listing_drop_tags(struct listing *listing);

/* Keeps the tag of page `index`, from 0; `cursor` may be NULL. Without a tag, beyond PAGE_TAGS_MAX
 * or without memory the page counts as untagged. */
void page_tags_keep(struct page_tags **tags, size_t index, const char *etag, const char *cursor);

/* True if all of the first `pages` pages have a tag. */
bool page_tags_are_complete(const struct page_tags *tags, uint64_t pages);
