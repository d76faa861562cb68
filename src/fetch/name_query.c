/*
 * One name asked for by one call (or, where the service can only search, by as many as its pages), shared by all who
 * want to know.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"

#define SEARCH_PAGES_MAX 1000 /* a search that does not end by itself */

struct find {
	struct listing *listing;
	struct inquiry inquiry;
	struct buffer cursor, id;
	struct wait_list waits;
	struct failure failure;
	uint64_t deadline;
	bool found, ended;
	bool overtaken; /* we changed the name ourselves after it was asked for */
	struct find *next;
	char name[];
};

static const struct provider *provider_of(const struct listing *listing)
{
	return listing->catalog->options.provider;
}

bool find_is_possible(const struct listing *listing)
{
	enum operation operation = listing->store ? OPERATION_FIND_SECRET : OPERATION_FIND_STORE;

	return provider_of(listing)->operations[operation].ask;
}

bool find_is_exact(const struct listing *listing, const char *name)
{
	const struct provider *provider = provider_of(listing);

	if (!find_is_possible(listing))
		return false;
	/* A store may be shown under a name that is none of the service's (NAME~ID). */
	return listing->store ? provider->finds_secrets
			      : provider->finds_stores && provider->store_name_is_valid(name);
}

struct wait_list *find_waits(struct find *find)
{
	return &find->waits;
}

bool find_has_ended(const struct find *find)
{
	return find->ended;
}

const struct failure *find_failure(const struct find *find)
{
	return &find->failure;
}

bool find_is_overtaken(const struct find *find)
{
	return find->overtaken;
}

void find_overtake(struct listing *listing, const char *name)
{
	for (struct find *find = listing->finds; find; find = find->next)
		if (!strcmp(find->name, name))
			find->overtaken = true;
}

/* Whether to ask for one known name is less than to walk: a few times, where the walk has more than one page. */
bool find_is_cheaper(const struct listing *listing, const struct record *record)
{
	if (!find_is_exact(listing, record->name) &&
	    !(listing->store && find_is_possible(listing) && record_id(record)))
		return false;
	if (!listing->complete)
		return true;
	return listing->pages > 1 && listing->misses < SINGLE_CALLS_MAX;
}

static void unlink_find(struct find *find)
{
	struct find **link = &find->listing->finds;

	while (*link != find)
		link = &(*link)->next;
	*link = find->next;
}

static void find_free(struct find *find)
{
	inquiry_finish(&find->inquiry);
	buffer_finish(&find->cursor);
	buffer_finish(&find->id);
	free(find);
}

/* An attempt failed and another one follows: who waits may want to do without. */
static void tried(struct call *call)
{
	struct find *find = container_of(call, struct find, inquiry.call);

	listing_failed(find->listing);
	wait_wake_all(&find->waits);
}

static int take_entry(void *context, const struct entry *entry)
{
	struct find *find = context;

	if (find->found || !entry->name || strcmp(entry->name, find->name) != 0)
		return 0;
	find->found = true;
	return find->overtaken ? 0 : listing_told(find->listing, find->name, entry);
}

static void find_end(struct find *find)
{
	struct listing *listing = find->listing;
	bool is_absent = find->failure.error == ENOENT;

	if (!find->failure.error || is_absent)
		listing_answered(listing);
	else
		listing_failed(listing);
	if (is_absent && !find->overtaken)
		listing_told(listing, find->name, NULL);
	/* Before anybody is woken: who is may let go of the store, and with it of the listing. */
	unlink_find(find);
	find->ended = true;
	if (is_absent && !listing->store)
		stores_sweep(listing->catalog);
	wait_wake_all(&find->waits);
	find_free(find);
}

static void ask(struct find *find)
{
	inquiry_start(find->listing->catalog, &find->inquiry, find->deadline);
	find->inquiry.call.tried = tried;
}

bool search_goes_on(const struct catalog *catalog, struct inquiry *inquiry, enum paging paging,
		    struct buffer *cursor)
{
	struct result result = inquiry->result;
	bool more;

	inquiry->result = (struct result){.take = result.take, .context = result.context};
	more = paging == PAGING_NUMBERED ? result.entries > 0 : result.cursor.length > 0;
	if (more && ++inquiry->ask.page > SEARCH_PAGES_MAX)
		more = false;
	buffer_clear(cursor);
	if (more && paging == PAGING_CURSOR) {
		buffer_append(cursor, result.cursor.data, result.cursor.length);
		inquiry->ask.cursor = buffer_text(cursor);
		more = !buffer_result(cursor);
	}
	result_finish(&result);
	return more && loop_now(catalog->loop) < inquiry->call.deadline;
}

/* Where names can only be searched for, an id that is known saves the search, if it is still that of the name. */
static void use_id(struct find *find)
{
	struct listing *listing = find->listing;
	const struct record *known = NULL;
	const char *id = NULL;

	if (!find_is_exact(listing, find->name) &&
	    listing_remembered(listing, find->name, &known) == KNOWN_PRESENT)
		id = record_id(known);
	buffer_clear(&find->id);
	if (id)
		buffer_string(&find->id, id);
	find->inquiry.ask.id = find->id.length ? buffer_text(&find->id) : NULL;
}

/* Whether there is another question to ask before it is said that there is none. */
static bool goes_on(struct find *find)
{
	const struct listing *listing = find->listing;
	const struct provider *provider = provider_of(listing);
	enum paging paging = listing->store ? provider->secret_paging : provider->store_paging;

	if (find->inquiry.ask.id) {
		inquiry_finish(&find->inquiry);
		find->inquiry.ask.id = NULL;
		return true;
	}
	return !find->failure.error &&
	       search_goes_on(listing->catalog, &find->inquiry, paging, &find->cursor);
}

static void answered(struct inquiry *inquiry)
{
	struct find *find = container_of(inquiry, struct find, inquiry);
	bool is_absent = inquiry->failure.error ? inquiry->failure.error == ENOENT : !find->found;

	find->failure = inquiry->failure;
	if (is_absent && goes_on(find)) {
		ask(find);
		return;
	}
	if (is_absent)
		failure_set(&find->failure, ENOENT, "there is no %s of this name",
			    find->listing->store ? "secret" : "store");
	find_end(find);
}

static struct find *find_running(const struct listing *listing, const char *name)
{
	struct find *find = listing->finds;

	while (find && (find->overtaken || strcmp(find->name, name) != 0))
		find = find->next;
	return find;
}

bool find_is_free(const struct listing *listing, const char *name)
{
	return find_running(listing, name) != NULL;
}

struct find *find_start(struct listing *listing, const char *name, bool fresh, uint64_t deadline)
{
	struct find *find = fresh ? NULL : find_running(listing, name);

	if (find)
		return find;
	find = calloc(1, sizeof *find + strlen(name) + 1);
	if (!find)
		return NULL;
	strcpy(find->name, name);
	find->listing = listing;
	find->deadline = deadline;
	find->next = listing->finds;
	listing->finds = find;
	find->inquiry = (struct inquiry){.done = answered};
	find->inquiry.result.take = take_entry;
	find->inquiry.result.context = find;
	find->inquiry.ask.operation = listing->store ? OPERATION_FIND_SECRET : OPERATION_FIND_STORE;
	find->inquiry.ask.store_id = listing->store ? listing->store->id : NULL;
	find->inquiry.ask.name = find->name;
	find->inquiry.ask.page = 1;
	find->inquiry.is_anybodys = !fresh;
	listing->catalog->counts.finds++;
	if (!fresh) {
		listing->misses++;
		use_id(find);
	}
	ask(find);
	return find;
}

void find_abort_all(struct listing *listing)
{
	struct find *find;

	while ((find = listing->finds)) {
		inquiry_cancel(&find->inquiry);
		failure_set(&find->failure, EINTR, "the question was given up");
		unlink_find(find);
		find->ended = true;
		wait_wake_all(&find->waits);
		find_free(find);
	}
}
