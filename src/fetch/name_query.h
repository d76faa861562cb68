#pragma once

#include "cache/listing.h"
#include "sstorefs/api_call.h"

/* Names that are asked for one by one before a walk of the whole listing costs less. */
#define SINGLE_CALLS_MAX 3

/*
 * A query for one name: one API call, or as many as a search has pages. It is shared by all lookups
 * of the name and freed when it has ended and its waits were woken.
 */
struct name_query {
	struct listing *listing;
	struct api_call api_call;
	struct buffer id;
	struct wait_list
		waits; /* woken when an attempt failed and another follows, and at the end */
	struct failure failure; /* of a query that has ended; ENOENT: there is no such name */
	uint64_t deadline;	/* CLOCK_BOOTTIME, milliseconds */
	bool found, ended;
	bool superseded; /* a local change of the name came after the query was sent */
	LIST_ENTRY(name_query) link;
	char name[];
};

/*
 * Returns the query for `name` that is under way, or starts one. `fresh`: always starts one. NULL
 * when memory ran out.
 */
struct name_query *name_query_start(struct listing *listing, const char *name, bool fresh,
				    uint64_t deadline);

/* Ends all queries of the listing with EINTR, and wakes their waits. */
void name_query_abort_all(struct listing *listing);

/* Returns the query for `name` that is under way and can be shared; NULL: none. */
struct name_query *name_query_running(const struct listing *listing, const char *name);

/* True if to query the record alone costs less than a walk. */
bool name_query_is_cheaper(const struct listing *listing, const struct record *record);

/* True if the service can be asked for `name` alone, by a search at least. */
bool name_query_is_possible(const struct listing *listing, const char *name);

/* True if the service can be asked for `name` by one call. */
bool name_query_is_exact(const struct listing *listing, const char *name);

/* Prepares `api_call`, a search of which a page came, for its next page. Returns 1; 0 if that was
 * the last; or with `failure` set -ETIMEDOUT if there is no time for it, -EIO if there seems to be
 * no end. */
int search_next_page(const struct catalog *catalog, struct api_call *api_call, enum paging paging,
		     struct failure *failure);

/* Notes a local change of `name`: the responses to queries under way may be older. */
void name_query_supersede(struct listing *listing, const char *name);
