/*
 * The page walker: fetches all pages of a listing, cursors one after the other, numbered pages side by side. What the entries mean to the listing is
 * listing.c.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"

#define ROUNDS_AGAIN_MAX 2	 /* how often a numbered walk goes round again because the count is off */
#define PAGES_MAX	 100000u /* no listing is that long: a service that never ends is broken */
#define BARREN_MAX	 64	 /* nor has one so many pages in a row with nothing new in them */

static void page_done(struct inquiry *inquiry);

static bool is_numbered(const struct listing *listing)
{
	const struct provider *provider = listing->catalog->options.provider;

	return (listing->store ? provider->secret_paging : provider->store_paging) == PAGING_NUMBERED;
}

static int take_entry(void *context, const struct entry *entry)
{
	struct page *page = context;

	return listing_take(page->walk->listing, entry);
}

/* An attempt failed and another one follows: who waits may want to do without. */
static void page_tried(struct call *call)
{
	struct page *page = container_of(call, struct page, inquiry.call);
	struct listing *listing = page->walk->listing;

	listing_failed(listing);
	wait_wake_all(&listing->filling->waits);
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
	page->inquiry.is_anybodys = true;
	inquiry_start(catalog, &page->inquiry, loop_now(catalog->loop) + catalog->options.timeout);
	page->inquiry.call.tried = page_tried;
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
	listing_walks(listing);
	listing->walk = walk;
	walk->listing = listing;
	walk->number = ++listing->catalog->last_walk;
	walk->began_at = walk->good_at = loop_now(listing->catalog->loop);
	walk->next_page = 2;
	walk->next_landmark = 1;
	walk->total = -1;
	listing->catalog->counts.walks++;
	ask_page(walk, &walk->pages[0], 1);
	return 0;
}

static void walk_end(struct walk *walk)
{
	struct listing *listing = walk->listing;
	const struct failure *failure = walk->failure.error ? &walk->failure : NULL;
	uint64_t now = loop_now(listing->catalog->loop);

	/* Before anybody is woken: who is may begin the next walk. */
	listing->walk = NULL;
	listing->walked_at = now ? now : 1;
	listing->walk_cost = walk->good_at - walk->began_at;
	if (!failure)
		listing->walk_took = listing->walk_cost;
	task_queue(listing->catalog->loop, &listing->catalog->give_back);
	listing_walked(listing, walk, failure); /* who is woken may let go of the listing */
	buffer_finish(&walk->cursor);
	buffer_finish(&walk->landmark);
	free(walk);
}

void walks_give_back(struct task *task)
{
	(void)task;
	malloc_trim(0);
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

static bool is_endless(struct walk *walk)
{
	if (walk->done < PAGES_MAX && walk->barren < BARREN_MAX)
		return false;
	failure_set(&walk->failure, EIO,
		    "the listing does not end: %llu pages came, the last %u with nothing new",
		    (unsigned long long)walk->done, walk->barren);
	return true;
}

/* --- cursors, one after the other ------------------------------------------------------------------------------------------ */

/*
 * A cursor seen before would lead us in a circle for ever. The landmark moves on at every power of two, so that any
 * circle is noticed (Brent).
 */
static bool is_circle(struct walk *walk, const struct buffer *next)
{
	if (walk->landmark.length == next->length && !memcmp(walk->landmark.data, next->data, next->length)) {
		failure_set(&walk->failure, EIO,
			    "the listing does not end: page %llu leads back to an earlier one",
			    (unsigned long long)walk->done);
		return true;
	}
	if (walk->done >= walk->next_landmark) {
		buffer_clear(&walk->landmark);
		buffer_append(&walk->landmark, next->data, next->length);
		walk->next_landmark *= 2;
	}
	return false;
}

static void next_by_cursor(struct walk *walk, const struct result *result)
{
	const struct buffer *next = &result->cursor;

	if (walk->failure.error || !next->length || is_circle(walk, next) || is_endless(walk)) {
		walk_end(walk);
		return;
	}
	buffer_clear(&walk->cursor);
	buffer_append(&walk->cursor, next->data, next->length);
	if (buffer_result(&walk->cursor) || buffer_result(&walk->landmark)) {
		failure_set(&walk->failure, ENOMEM, "out of memory");
		walk_end(walk);
		return;
	}
	ask_page(walk, &walk->pages[0], 0);
}

/* --- numbers, side by side ------------------------------------------------------------------------------------------------- */

/*
 * A count that is not the promised one means that something came or went meanwhile, and that pages have shifted. Whether
 * the service counts what we can't read, nobody knows.
 */
static bool count_is_off(const struct walk *walk)
{
	uint64_t total = (uint64_t)walk->total, most = walk->entries - walk->repeated;

	return walk->total >= 0 && (total > most || total + walk->malformed < most);
}

static void go_round_again(struct walk *walk)
{
	walk->round++;
	walk->entries = 0;
	walk->repeated = 0;
	walk->malformed = 0;
	walk->ended = false;
	walk->next_page = 2;
	walk->last_page = 0;
	walk->total = -1;
	walk->barren = 0;
	walk->listing->filling->left_out = 0;
	ask_page(walk, &walk->pages[0], 1);
}

static bool any_page_runs(const struct walk *walk)
{
	for (size_t i = 0; i < WALK_WIDTH; i++)
		if (walk->pages[i].runs)
			return true;
	return false;
}

static void take_total(struct walk *walk, const struct result *result)
{
	int64_t size = walk->listing->catalog->options.provider->page_size, total = result->total;

	if (total < 0 || walk->total >= 0)
		return;
	/* Smaller pages than we asked for, and not only because there is no more: otherwise the rest would be missed at first. */
	if (result->page_size && result->page_size == result->entries)
		size = result->page_size;
	walk->total = total;
	walk->last_page = total / size < PAGES_MAX ? (unsigned)((total + size - 1) / size) : PAGES_MAX;
}

/* With the total known all pages are asked for; without it one after the other, until one is empty. */
static void ask_next_pages(struct walk *walk)
{
	bool is_counted = walk->total >= 0 && !walk->is_open;

	for (size_t i = 0; i < WALK_WIDTH && !walk->ended && !walk->failure.error; i++) {
		if (walk->pages[i].runs)
			continue;
		if (is_counted ? walk->next_page > walk->last_page : any_page_runs(walk))
			break;
		ask_page(walk, &walk->pages[i], walk->next_page++);
	}
}

static void next_by_number(struct walk *walk, const struct result *result)
{
	take_total(walk, result);
	walk->ended = walk->ended || result->entries == result->malformed || is_endless(walk);
	ask_next_pages(walk);
	if (any_page_runs(walk))
		return;
	if (!walk->failure.error && count_is_off(walk) && walk->round < ROUNDS_AGAIN_MAX) {
		go_round_again(walk);
		return;
	}
	/* Three times another count than promised: then what says that this was all is an empty page. */
	if (!walk->failure.error && count_is_off(walk) && !walk->ended) {
		walk->is_open = true;
		ask_next_pages(walk);
		return;
	}
	walk_end(walk);
}

/* --- every page ------------------------------------------------------------------------------------------------------------ */

static void count_page(struct walk *walk, const struct result *result)
{
	struct listing *listing = walk->listing;

	walk->good_at = loop_now(listing->catalog->loop);
	walk->entries += result->entries;
	walk->malformed += result->malformed;
	walk->barren = walk->brought || result->left_out ? 0 : walk->barren + 1;
	walk->brought = 0;
	listing->filling->left_out += result->left_out;
	listing_answered(listing);
}

static void page_done(struct inquiry *inquiry)
{
	struct page *page = container_of(inquiry, struct page, inquiry);
	struct walk *walk = page->walk;
	struct listing *listing = walk->listing;
	struct snapshot *filling = snapshot_reference(listing->filling);
	struct result result = inquiry->result;

	inquiry->result = (struct result){0};
	page->runs = false;
	walk->done++;
	listing->catalog->counts.pages++;
	if (!inquiry->failure.error)
		count_page(walk, &result);
	else if (!walk->failure.error)
		walk->failure = inquiry->failure;
	if (is_numbered(listing))
		next_by_number(walk, &result);
	else
		next_by_cursor(walk, &result);
	result_finish(&result);
	/* Last, for who is woken may let go of the store, and with it of the listing. */
	if (filling->grows)
		wait_wake_all(&filling->waits);
	snapshot_release(filling);
}
