/* Queries the service for one name, by one call or by a search over several pages. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "page_tags.h"

static const struct provider *provider_of(const struct listing *listing)
{
	return listing->catalog->options.provider;
}

bool name_query_is_possible(const struct listing *listing, const char *name)
{
	enum operation operation = listing->store ? OPERATION_FIND_SECRET : OPERATION_FIND_STORE;
	const struct provider *provider = provider_of(listing);

	/* A store may be shown under a name that the service does not know (NAME~ID). */
	if (!listing->store && provider->gets_store_by_name && !provider->store_name_is_valid(name))
		return false;
	return provider_has(provider, operation);
}

bool name_query_is_exact(const struct listing *listing, const char *name)
{
	const struct provider *provider = provider_of(listing);

	return name_query_is_possible(listing, name) &&
	       (listing->store ? provider->gets_secret_by_name : provider->gets_store_by_name);
}

void name_query_supersede(struct listing *listing, const char *name)
{
	struct name_query *query;

	LIST_FOREACH (query, &listing->name_queries, link)
		if (!strcmp(query->name, name))
			query->superseded = true;
}

bool name_query_is_cheaper(const struct listing *listing, const struct record *record)
{
	if (!name_query_is_exact(listing, record->name) &&
	    !(listing->store && name_query_is_possible(listing, record->name) && record_id(record)))
		return false;
	if (!listing->is_complete)
		return true;
	return listing->pages > 1 && listing->single_lookups < SINGLE_CALLS_MAX;
}

static void name_query_free(struct name_query *query)
{
	api_call_free(&query->api_call);
	buffer_finish(&query->id);
	free(query);
}

/* An attempt failed and another one follows: a waiting lookup may take what the cache has. */
static void on_retry(struct http_call *call)
{
	struct name_query *query = container_of(call, struct name_query, api_call.http);

	listing_note_failure(query->listing);
	wait_wake_all(&query->waits);
}

static int on_entry(void *context, const struct entry *entry)
{
	struct name_query *query = context;

	if (query->found || !entry->name || strcmp(entry->name, query->name) != 0)
		return 0;
	query->found = true;
	/* A listing that has not changed since its last walk does not have it. */
	if (!listing_peek_any(query->listing, query->name))
		listing_drop_tags(query->listing);
	return query->superseded ? 0 : listing_apply_answer(query->listing, query->name, entry);
}

static void name_query_end(struct name_query *query)
{
	struct listing *listing = query->listing;
	bool is_absent = query->failure.errnum == ENOENT;

	if (!query->failure.errnum || is_absent)
		listing_note_success(listing);
	else
		listing_note_failure(listing);
	if (is_absent && !query->superseded)
		listing_apply_answer(listing, query->name, NULL);
	/* Before the waits are woken: a woken lookup may release the store, and with it the
	 * listing. */
	LIST_REMOVE(query, link);
	query->ended = true;
	if (is_absent && !listing->store)
		listing->cache->stores_changed(listing->cache);
	wait_wake_all(&query->waits);
	name_query_free(query);
}

static void send_query(struct name_query *query)
{
	api_call_start(query->listing->catalog, &query->api_call, query->deadline);
	query->api_call.http.on_retry = on_retry;
}

/* Where names can only be searched for, a cached id saves the search if the name still has it. */
static void use_id(struct name_query *query)
{
	struct listing *listing = query->listing;
	const struct record *cached = NULL;
	const char *id = NULL;

	if (!name_query_is_exact(listing, query->name) &&
	    listing_peek(listing, query->name, &cached) == CACHE_HIT)
		id = record_id(cached);
	buffer_clear(&query->id);
	if (id)
		buffer_puts(&query->id, id);
	query->api_call.args.id = query->id.length ? buffer_cstr(&query->id) : NULL;
}

/* Prepares the next call before the name counts as absent: without the id, or for the next page.
 * Returns 1; 0 if there is none; or a negative errno with the failure set. */
static int try_next_page(struct name_query *query)
{
	struct listing *listing = query->listing;
	int next;
	const struct provider *provider = provider_of(listing);
	enum paging paging = listing->store ? provider->secret_paging : provider->store_paging;

	if (query->api_call.args.id) {
		api_call_free(&query->api_call);
		query->api_call.args.id = NULL;
		return 1;
	}
	if (query->failure.errnum)
		return 0;
	next = search_next_page(listing->catalog, &query->api_call, paging, &query->failure);
	if (next == -EIO) {
		listing->last_failure = query->failure;
		listing_note_endless(listing);
	}
	return next;
}

static void on_response(struct api_call *api_call)
{
	struct name_query *query = container_of(api_call, struct name_query, api_call);
	bool is_absent =
		api_call->failure.errnum ? api_call->failure.errnum == ENOENT : !query->found;

	int next = 0;

	query->failure = api_call->failure;
	if (is_absent)
		next = try_next_page(query);
	if (next > 0) {
		send_query(query);
		return;
	}
	if (is_absent && !next)
		failure_set(&query->failure, ENOENT, "there is no %s of this name",
			    query->listing->store ? "secret" : "store");
	name_query_end(query);
}

struct name_query *name_query_running(const struct listing *listing, const char *name)
{
	struct name_query *query;

	LIST_FOREACH (query, &listing->name_queries, link)
		if (!query->superseded && !strcmp(query->name, name))
			break;
	return query;
}

struct name_query *name_query_start(struct listing *listing, const char *name, bool fresh,
				    uint64_t deadline)
{
	struct name_query *query = fresh ? NULL : name_query_running(listing, name);

	if (query)
		return query;
	query = calloc(1, sizeof *query + strlen(name) + 1);
	if (!query)
		return NULL;
	strcpy(query->name, name);
	query->listing = listing;
	query->deadline = deadline;
	LIST_INSERT_HEAD(&listing->name_queries, query, link);
	query->api_call = (struct api_call){.done = on_response};
	query->api_call.on_entry = on_entry;
	query->api_call.context = query;
	query->api_call.args.operation =
		listing->store ? OPERATION_FIND_SECRET : OPERATION_FIND_STORE;
	query->api_call.args.store_id = listing->store ? listing->store->id : NULL;
	query->api_call.args.name = query->name;
	query->api_call.args.page = 1;
	query->api_call.cache_failure = !fresh;
	listing->catalog->counts.name_queries++;
	if (!fresh) {
		listing->single_lookups++;
		use_id(query);
	}
	send_query(query);
	return query;
}

void name_query_abort_all(struct listing *listing)
{
	struct name_query *query;

	while ((query = LIST_FIRST(&listing->name_queries))) {
		api_call_cancel(&query->api_call);
		failure_set(&query->failure, EINTR, "the query was cancelled");
		LIST_REMOVE(query, link);
		query->ended = true;
		wait_wake_all(&query->waits);
		name_query_free(query);
	}
}
