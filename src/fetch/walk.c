/*
 * The page walker: fetches all pages of a listing, one after the other by cursor, or several at
 * once by number.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "page_tags.h"

/* How often a numbered walk begins again because the count is off. */
#define ROUNDS_AGAIN_MAX 2
/* No listing has so many pages, or so many in a row with nothing new: the service is broken. */
#define PAGES_MAX	100000u
#define EMPTY_PAGES_MAX 64

static void on_page(struct api_call *api_call);

static bool is_numbered(const struct listing *listing)
{
	const struct provider *provider = listing->catalog->options.provider;

	return (listing->store ? provider->secret_paging : provider->store_paging) ==
	       PAGING_NUMBERED;
}

static int on_entry(void *context, const struct entry *entry)
{
	struct page *page = context;

	return listing_apply_page_entry(page->walk->listing, entry);
}

/* An attempt failed and another one follows: a waiting lookup may take what the cache has. */
static void on_page_retry(struct http_call *call)
{
	struct page *page = container_of(call, struct page, api_call.http);
	struct listing *listing = page->walk->listing;

	listing_note_failure(listing);
	wait_wake_all(&listing->next->waits);
}

static void fetch_page(struct walk *walk, struct page *page, unsigned number)
{
	struct listing *listing = walk->listing;
	struct catalog *catalog = listing->catalog;
	struct op_args *args = &page->api_call.args;

	page->walk = walk;
	page->runs = true;
	page->api_call = (struct api_call){.done = on_page};
	page->api_call.on_entry = on_entry;
	page->api_call.context = page;
	args->operation = listing->store ? OPERATION_LIST_SECRETS : OPERATION_LIST_STORES;
	args->store_id = listing->store ? listing->store->id : NULL;
	args->cursor = walk->cursor.length ? buffer_cstr(&walk->cursor) : NULL;
	args->page = number;
	if (walk->revalidates) {
		args->cursor = listing->tags->pages[walk->unchanged].cursor;
		page->api_call.etag = listing->tags->pages[walk->unchanged].etag;
	}
	page->api_call.cache_failure = true;
	api_call_start(catalog, &page->api_call,
		       loop_now(catalog->loop) + catalog->options.timeout);
	page->api_call.http.on_retry = on_page_retry;
}

int walk_begin(struct listing *listing)
{
	struct walk *walk;

	if (listing->walk)
		return 0;
	walk = calloc(1, sizeof *walk);
	if (!walk)
		return -ENOMEM;
	listing->next = snapshot_new();
	if (!listing->next) {
		free(walk);
		return -ENOMEM;
	}
	listing->next->state = SNAPSHOT_FILLING;
	listing_walk_started(listing);
	listing->pass = (struct walk_pass){0};
	listing->walk = walk;
	walk->listing = listing;
	walk->number = ++listing->catalog->last_walk;
	walk->began_at = walk->good_at = loop_now(listing->catalog->loop);
	walk->next_page = 2;
	walk->next_cycle_mark = 1;
	walk->total = -1;
	walk->revalidates = listing->tags && listing->is_complete;
	listing->catalog->counts.walks++;
	fetch_page(walk, &walk->pages[0], 1);
	return 0;
}

static void walk_end(struct walk *walk)
{
	struct listing *listing = walk->listing;
	const struct failure *failure = walk->failure.errnum ? &walk->failure : NULL;
	uint64_t now = loop_now(listing->catalog->loop);

	/* Before the waits are woken: a woken lookup may begin the next walk. */
	listing->walk = NULL;
	listing->last_walk_at = now ? now : 1;
	listing->last_walk_ms = walk->good_at - walk->began_at;
	if (!failure)
		listing->whole_walk_ms = listing->last_walk_ms;
	task_queue(listing->catalog->loop, &listing->catalog->heap_trim);
	if (!failure && !walk->revalidates) {
		page_tags_drop(&listing->tags);
		if (!walk->untagged && page_tags_are_complete(walk->tags, walk->pages_of_round)) {
			listing->tags = walk->tags;
			walk->tags = NULL;
		}
	}
	page_tags_drop(&walk->tags);
	if (walk->endless)
		listing_note_endless(listing);
	listing_walk_done(listing, walk->done,
			  failure); /* a woken lookup may release the listing */
	buffer_finish(&walk->cursor);
	buffer_finish(&walk->cycle_mark);
	free(walk);
}

void trim_heap(struct task *task)
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
			api_call_cancel(&walk->pages[i].api_call);
	failure_set(&walk->failure, EINTR, "the listing was cancelled");
	walk_end(walk);
}

static bool is_endless(struct walk *walk)
{
	if (walk->done < PAGES_MAX && walk->empty_pages < EMPTY_PAGES_MAX)
		return false;
	walk->endless = true;
	failure_set(&walk->failure, EIO,
		    "the listing does not end: %llu pages came, the last %u with nothing new",
		    (unsigned long long)walk->done, walk->empty_pages);
	return true;
}

/* --- cursors, one after the other */

/*
 * True if the cursor was seen before: the walk would never end. The mark moves on at every power of
 * two, so that every cycle is found (Brent's algorithm).
 */
static bool is_cycle(struct walk *walk, const struct buffer *next)
{
	if (walk->cycle_mark.length == next->length &&
	    !memcmp(walk->cycle_mark.data, next->data, next->length)) {
		walk->endless = true;
		failure_set(&walk->failure, EIO,
			    "the listing does not end: page %llu leads back to an earlier one",
			    (unsigned long long)walk->done);
		return true;
	}
	if (walk->done >= walk->next_cycle_mark) {
		buffer_clear(&walk->cycle_mark);
		buffer_append(&walk->cycle_mark, next->data, next->length);
		walk->next_cycle_mark *= 2;
	}
	return false;
}

static void next_by_cursor(struct walk *walk, const struct op_result *result)
{
	const struct buffer *next = &result->cursor;

	if (walk->failure.errnum || !next->length || is_cycle(walk, next) || is_endless(walk)) {
		walk_end(walk);
		return;
	}
	buffer_clear(&walk->cursor);
	buffer_append(&walk->cursor, next->data, next->length);
	if (buffer_error(&walk->cursor) || buffer_error(&walk->cycle_mark)) {
		failure_set(&walk->failure, ENOMEM, "out of memory");
		walk_end(walk);
		return;
	}
	fetch_page(walk, &walk->pages[0], 0);
}

/* Numbers, side by side */

/*
 * True if the entries are not as many as the service said: secrets were created or deleted
 * meanwhile, and pages have shifted. Malformed entries may be in the service's count or not.
 */
static bool count_is_off(const struct walk *walk)
{
	uint64_t total = (uint64_t)walk->total, most = walk->entries - walk->listing->pass.repeated;

	return walk->total >= 0 && (total > most || total + walk->malformed < most);
}

static void start_next_pass(struct walk *walk)
{
	page_tags_drop(&walk->tags);
	walk->pages_of_round = 0;
	walk->listing->pass.number++;
	walk->entries = 0;
	walk->listing->pass.repeated = 0;
	walk->malformed = 0;
	walk->ended = false;
	walk->next_page = 2;
	walk->last_page = 0;
	walk->total = -1;
	walk->empty_pages = 0;
	walk->listing->next->names_too_long = 0;
	fetch_page(walk, &walk->pages[0], 1);
}

static bool any_page_runs(const struct walk *walk)
{
	for (size_t i = 0; i < WALK_WIDTH; i++)
		if (walk->pages[i].runs)
			return true;
	return false;
}

static void note_total(struct walk *walk, const struct op_result *result)
{
	int64_t size = walk->listing->catalog->options.provider->page_size, total = result->total;

	if (total < 0 || walk->total >= 0)
		return;
	/* The service may use smaller pages than it was asked for. A last page that is not full
	 * says nothing of that. */
	if (result->entries > 0 && result->entries < total && result->entries < size)
		size = result->entries;
	walk->total = total;
	walk->last_page =
		total / size < PAGES_MAX ? (unsigned)((total + size - 1) / size) : PAGES_MAX;
}

/* Fetches all pages if the total is known; else one after the other, until one is empty. */
static void fetch_next_pages(struct walk *walk)
{
	bool is_counted = walk->total >= 0 && !walk->total_unreliable;

	for (size_t i = 0; i < WALK_WIDTH && !walk->ended && !walk->failure.errnum; i++) {
		if (walk->pages[i].runs)
			continue;
		if (is_counted ? walk->next_page > walk->last_page : any_page_runs(walk))
			break;
		fetch_page(walk, &walk->pages[i], walk->next_page++);
	}
}

static void next_by_number(struct walk *walk, const struct op_result *result)
{
	note_total(walk, result);
	walk->ended = walk->ended || result->entries == result->malformed || is_endless(walk);
	fetch_next_pages(walk);
	if (any_page_runs(walk))
		return;
	if (!walk->failure.errnum && count_is_off(walk) &&
	    walk->listing->pass.number < ROUNDS_AGAIN_MAX) {
		start_next_pass(walk);
		return;
	}
	/* The count was off in every round: fetch on until a page is empty. */
	if (!walk->failure.errnum && count_is_off(walk) && !walk->ended) {
		walk->total_unreliable = true;
		fetch_next_pages(walk);
		return;
	}
	walk_end(walk);
}

/* Every page */

static void count_page(struct walk *walk, const struct op_result *result)
{
	struct listing *listing = walk->listing;

	walk->good_at = loop_now(listing->catalog->loop);
	walk->entries += result->entries;
	walk->malformed += result->malformed;
	walk->empty_pages = walk->listing->pass.new_entries || result->names_too_long
				    ? 0
				    : walk->empty_pages + 1;
	walk->listing->pass.new_entries = 0;
	listing->next->names_too_long += result->names_too_long;
	listing_note_success(listing);
}

void walk_note_change(struct listing *listing, const char *name)
{
	listing_drop_tags(listing);
	name_query_supersede(listing, name);
}

static void keep_tag(struct walk *walk, const struct page *page, const struct op_result *result)
{
	const struct op_args *args = &page->api_call.args;
	size_t index = is_numbered(walk->listing) ? args->page - 1 : walk->pages_of_round;

	walk->pages_of_round++;
	page_tags_keep(&walk->tags, index, buffer_cstr(&result->etag), args->cursor);
}

/*
 * Continues a walk that asks for pages only if they have changed. Returns false for a page that
 * came as the first of an ordinary walk.
 */
static bool revalidate(struct walk *walk, const struct op_result *result)
{
	struct listing *listing = walk->listing;

	if (result->not_modified && listing->tags && ++walk->unchanged < listing->tags->count) {
		fetch_page(walk, &walk->pages[0], walk->unchanged + 1);
		return true;
	}
	if (result->not_modified && listing->tags) {
		if (listing_apply_unchanged(listing))
			failure_set(&walk->failure, ENOMEM, "out of memory");
		walk->good_at = loop_now(listing->catalog->loop);
		walk_end(walk);
		return true;
	}
	walk->revalidates = false;
	if (!result->not_modified && !walk->unchanged)
		return false;
	/* Another page has changed, or the cache has: all of them are needed. */
	if (!walk->failure.errnum)
		start_next_pass(walk);
	else
		walk_end(walk);
	return true;
}

static void next_page(struct walk *walk, const struct page *page, const struct op_result *result)
{
	if (walk->revalidates && revalidate(walk, result))
		return;
	if (!page->api_call.failure.errnum) {
		keep_tag(walk, page, result);
		count_page(walk, result);
	}
	if (is_numbered(walk->listing))
		next_by_number(walk, result);
	else
		next_by_cursor(walk, result);
}

static void on_page(struct api_call *api_call)
{
	struct page *page = container_of(api_call, struct page, api_call);
	struct walk *walk = page->walk;
	struct listing *listing = walk->listing;
	struct snapshot *next = snapshot_reference(listing->next);
	struct op_result result = api_call->result;

	api_call->result = (struct op_result){0};
	page->runs = false;
	walk->done++;
	listing->catalog->counts.pages++;
	if (api_call->failure.errnum && !walk->failure.errnum)
		walk->failure = api_call->failure;
	next_page(walk, page, &result);
	op_result_free(&result);
	/* Last, because a woken lookup may release the store, and with it the listing. */
	if (snapshot_is_filling(next))
		wait_wake_all(&next->waits);
	snapshot_release(next);
}
