/*
 * One name asked for by one call (or, where the service can only search, by as many as its pages), shared by all who want to know.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"

struct find {
	struct listing *listing;
	struct inquiry inquiry;
	struct wait_list waits;
	struct failure failure;
	uint64_t asked_at, deadline;
	bool found;
	struct find *next;
	char name[];
};

bool find_is_possible(const struct listing *listing, const char *name)
{
	const struct provider *provider = listing->catalog->options.provider;

	if (listing->store)
		return provider->finds_secrets;
	return provider->finds_stores && provider->store_name_is_valid(name);
}

struct wait_list *find_waits(struct find *find)
{
	return &find->waits;
}

const struct failure *find_failure(const struct find *find)
{
	return &find->failure;
}

static void unlink_find(struct find *find)
{
	struct find **link = &find->listing->finds;

	while (*link != find)
		link = &(*link)->next;
	*link = find->next;
}

static int take_entry(void *context, const struct entry *entry)
{
	struct find *find = context;

	if (!entry->name || strcmp(entry->name, find->name) != 0 || find->found)
		return 0;
	find->found = true;
	return listing_told(find->listing, find->name, entry, find->asked_at);
}

static void find_end(struct find *find)
{
	unlink_find(find);
	if (!find->failure.error)
		find->listing->failed_at = 0;
	else if (find->failure.error != ENOENT)
		find->listing->failed_at = loop_now(find->listing->catalog->loop);
	wait_wake_all(&find->waits);
	inquiry_finish(&find->inquiry);
	free(find);
}

static bool has_more_pages(const struct find *find)
{
	const struct provider *provider = find->listing->catalog->options.provider;

	enum paging paging = find->listing->store ? provider->secret_paging : provider->store_paging;
	bool is_exact = find->listing->store ? provider->finds_secrets : provider->finds_stores;

	return !is_exact && paging == PAGING_NUMBERED && find->inquiry.result.entries > 0;
}

static void found(struct inquiry *inquiry)
{
	struct find *find = container_of(inquiry, struct find, inquiry);

	find->failure = inquiry->failure;
	if (!find->failure.error && !find->found) {
		if (has_more_pages(find)) {
			inquiry_finish(inquiry);
			inquiry->ask.page++;
			inquiry_start(find->listing->catalog, inquiry, find->deadline);
			return;
		}
		failure_set(&find->failure, ENOENT, "there is no %s of this name",
			    find->listing->store ? "secret" : "store");
	}
	if (find->failure.error == ENOENT)
		listing_told(find->listing, find->name, NULL, find->asked_at);
	find_end(find);
}

struct find *find_start(struct listing *listing, const char *name, bool fresh, uint64_t deadline)
{
	struct find *find;

	for (find = listing->finds; find && !fresh; find = find->next)
		if (!strcmp(find->name, name))
			return find;
	find = calloc(1, sizeof *find + strlen(name) + 1);
	if (!find)
		return NULL;
	strcpy(find->name, name);
	find->listing = listing;
	find->deadline = deadline;
	find->asked_at = loop_now(listing->catalog->loop);
	find->next = listing->finds;
	listing->finds = find;
	find->inquiry = (struct inquiry){.done = found};
	find->inquiry.result.take = take_entry;
	find->inquiry.result.context = find;
	find->inquiry.ask.operation = listing->store ? OPERATION_FIND_SECRET : OPERATION_FIND_STORE;
	find->inquiry.ask.store_id = listing->store ? listing->store->id : NULL;
	find->inquiry.ask.name = find->name;
	find->inquiry.ask.page = 1;
	listing->catalog->counts.finds++;
	inquiry_start(listing->catalog, &find->inquiry, deadline);
	return find;
}

void find_abort_all(struct listing *listing)
{
	struct find *find;

	while ((find = listing->finds)) {
		inquiry_cancel(&find->inquiry);
		failure_set(&find->failure, EINTR, "the question was given up");
		unlink_find(find);
		wait_wake_all(&find->waits);
		free(find);
	}
}
