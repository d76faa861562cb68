#ifndef SSTOREFS_FETCH_NAME_QUERY_H
#define SSTOREFS_FETCH_NAME_QUERY_H

#include "cache/listing.h"
#include "sstorefs/api_call.h"

#define SINGLE_CALLS_MAX                                                                           \
	3 /* names asked for one by one before the whole listing is the cheaper question */

/*
 * Queries for single names, shared by all who want to know.
 */

/*
 * A single call for `name`, shared by all who ask. `fresh`: not one that is on its way already.
 * NULL when memory ran out. Who waits is woken when an attempt failed and another one follows, and
 * at the end.
 */
struct name_query *name_query_start(struct listing *listing, const char *name, bool fresh,
				    uint64_t deadline);

struct wait_list *name_query_waits(struct name_query *query);

bool name_query_has_ended(const struct name_query *query);

/* Once it has ended: why it failed; ENOENT: there is none. And whether we changed the name
 * ourselves meanwhile. */
const struct failure *name_query_failure(const struct name_query *query);

bool name_query_is_superseded(const struct name_query *query);

void name_query_abort_all(struct listing *listing);

/* Whether a call for that name is on its way, and costs nothing to share. */
bool name_query_is_running(const struct listing *listing, const char *name);

/* Whether to ask for a record alone is the smaller question. */
bool name_query_is_cheaper(const struct listing *listing, const struct record *record);

/* Whether a name can be asked for by itself at all, and by one call of its exact name. */
bool name_query_is_possible(const struct listing *listing);

bool name_query_is_exact(const struct listing *listing, const char *name);

/*
 * Prepares `inquiry`, a search that has ended, for its next page; `cursor` keeps where that begins.
 * False: there are no more.
 */
bool search_next_page(const struct catalog *catalog, struct api_call *api_call, enum paging paging,
		      struct buffer *cursor);

/* A name was changed here: what a query that is on its way brings may be older. */
void name_query_supersede(struct listing *listing, const char *name);

#endif
