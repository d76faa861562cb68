/*
 * The page walker: fetches all pages of a listing, cursors one after the other, numbered pages side by side. What the entries mean to the listing is
 * listing.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"

#define WALKS_AGAIN_MAX 2	 /* how often a numbered walk whose count is off is walked again */
#define PAGES_MAX	1000000u /* no listing is that long: a service that never ends is broken */

static void page_done(struct inquiry *inquiry);

static bool is_numbered(const struct listing *listing)
{
	const struct provider *provider = listing->catalog->options.provider;

	return (listing->store ? provider->secret_paging : provider->store_paging) == PAGING_NUMBERED;
}

static int take_entry(void *context, const struct entry *entry)
{
	struct page *page = context;

	page->walk->entries++;
	return listing_take(page->walk->listing, entry);
}

static void ask_page(struct walk *walk, struct page *page, unsigned number)
{
	struct listing *listing = walk->listing;
	struct catalog *catalog = listing->catalog;
	struct ask *ask = &page->inquiry.ask;

	page->walk = walk;
	page->runs = true;
	page->inquiry = (struct inquiry){.done = page_done};
	page->inquiry.result.take = take_entry;
	page->inquiry.result.context = page;
	ask->operation = listing->store ? OPERATION_LIST_SECRETS : OPERATION_LIST_STORES;
	ask->store_id = listing->store ? listing->store->id : NULL;
	ask->cursor = walk->cursor.length ? buffer_text(&walk->cursor) : NULL;
	ask->page = number;
	inquiry_start(catalog, &page->inquiry, loop_now(catalog->loop) + catalog->options.timeout);
}

int walk_begin(struct listing *listing)
{
	struct walk *walk;

	if (listing->walk)
		return 0;
	walk = calloc(1, sizeof *walk);
	if (!walk)
		return -ENOMEM;
	listing->filling = snapshot_new();
	if (!listing->filling) {
		free(walk);
		return -ENOMEM;
	}
	listing->filling->grows = true;
	listing->walk = walk;
	walk->listing = listing;
	walk->number = ++listing->catalog->last_walk;
	walk->began_at = loop_now(listing->catalog->loop);
	walk->next_page = 2;
	walk->next_landmark = 1;
	walk->total = -1;
	listing->catalog->counts.walks++;
	ask_page(walk, &walk->pages[0], 1);
	return 0;
}

static void walk_free(struct walk *walk)
{
	buffer_finish(&walk->cursor);
	buffer_finish(&walk->landmark);
	free(walk);
}

static void walk_end(struct walk *walk)
{
	struct listing *listing = walk->listing;
	const struct failure *failure = walk->failure.error ? &walk->failure : NULL;

	/* Before anybody is woken: who is may begin the next walk. */
	listing->walk = NULL;
	listing->walk_took = loop_now(listing->catalog->loop) - walk->began_at;
	listing_walked(listing, failure);
	walk_free(walk);
}

void walk_abort(struct listing *listing)
{
	struct walk *walk = listing->walk;

	if (!walk)
		return;
	for (size_t i = 0; i < WALK_WIDTH; i++)
		if (walk->pages[i].runs)
			inquiry_cancel(&walk->pages[i].inquiry);
	failure_set(&walk->failure, EINTR, "the listing was given up");
	walk_end(walk);
}

/* A cursor seen before would lead us in a circle for ever. The landmark moves on at every power of two, so that any circle is noticed (Brent). */
static bool is_circle(struct walk *walk, const struct buffer *next)
{
	if (walk->landmark.length == next->length && next->length &&
	    !memcmp(walk->landmark.data, next->data, next->length))
		return true;
	if (walk->done >= walk->next_landmark) {
		buffer_clear(&walk->landmark);
		buffer_append(&walk->landmark, next->data, next->length);
		walk->next_landmark *= 2;
	}
	return false;
}

static void next_by_cursor(struct walk *walk, struct page *page, struct result *result)
{
	if (!result->cursor.length) {
		walk_end(walk);
		return;
	}
	if (is_circle(walk, &result->cursor) || walk->done >= PAGES_MAX) {
		failure_set(&walk->failure, EIO,
			    "the listing does not end: page %llu leads back to an earlier one",
			    (unsigned long long)walk->done);
		walk_end(walk);
		return;
	}
	buffer_clear(&walk->cursor);
	buffer_append(&walk->cursor, result->cursor.data, result->cursor.length);
	if (buffer_result(&walk->cursor) || buffer_result(&walk->landmark)) {
		failure_set(&walk->failure, ENOMEM, "out of memory");
		walk_end(walk);
		return;
	}
	inquiry_finish(&page->inquiry);
	ask_page(walk, page, 0);
}

/* A count that is not the promised one means that something was created or deleted meanwhile, and that pages have shifted. */
static bool walk_again(struct walk *walk)
{
	if (walk->total < 0 || walk->entries == (uint64_t)walk->total || walk->again >= WALKS_AGAIN_MAX)
		return false;
	walk->again++;
	walk->entries = 0;
	walk->ended = false;
	walk->next_page = 2;
	walk->last_page = 0;
	walk->total = -1;
	ask_page(walk, &walk->pages[0], 1);
	return true;
}

static bool any_page_runs(const struct walk *walk)
{
	for (size_t i = 0; i < WALK_WIDTH; i++)
		if (walk->pages[i].runs)
			return true;
	return false;
}

/* With the total known all pages are asked for, side by side; without it one after the other, until one is empty. */
static void next_by_number(struct walk *walk, const struct result *result)
{
	unsigned size = walk->listing->catalog->options.provider->page_size;

	if (result->total >= 0 && walk->total < 0) {
		walk->total = result->total;
		walk->last_page = (unsigned)((result->total + size - 1) / size);
	}
	if (!result->entries)
		walk->ended = true;
	for (size_t i = 0; i < WALK_WIDTH && !walk->failure.error && !walk->ended; i++) {
		bool known = walk->total >= 0;

		if (walk->pages[i].runs || (known ? walk->next_page > walk->last_page : any_page_runs(walk)))
			continue;
		if (walk->next_page > PAGES_MAX) {
			failure_set(&walk->failure, EIO, "the listing does not end");
			break;
		}
		ask_page(walk, &walk->pages[i], walk->next_page++);
	}
	if (any_page_runs(walk))
		return;
	if (walk->failure.error || !walk_again(walk))
		walk_end(walk);
}

static void page_done(struct inquiry *inquiry)
{
	struct page *page = container_of(inquiry, struct page, inquiry);
	struct walk *walk = page->walk;
	struct listing *listing = walk->listing;
	struct result result = inquiry->result;

	inquiry->result = (struct result){0};
	page->runs = false;
	walk->done++;
	listing->catalog->counts.pages++;
	listing->filling->left_out += result.left_out;
	if (inquiry->failure.error)
		walk->failure = inquiry->failure;
	else
		wait_wake_all(&listing->filling->waits);
	if (is_numbered(listing))
		next_by_number(walk, &result);
	else if (walk->failure.error)
		walk_end(walk);
	else
		next_by_cursor(walk, page, &result);
	result_finish(&result);
}
