#pragma once

#include "cache/cache.h"
#include "cache/sealed_cache.h"
#include "client_keys.h"
#include "name_query.h"
#include "notices.h"
#include "quota.h"
#include "recent_failures.h"
#include "sstorefs/api_call.h"
#include "sstorefs/catalog.h"
#include "sstorefs/ordered_set.h"
#include "walk.h"

/*
 * Stores and the catalog from the inside.
 */
struct store {
	uint32_t entry_id; /* first: the key; in the listing of stores; 0 in a mount of one store */
	struct catalog *catalog;
	unsigned references;
	char *name, *id;
	struct listing secrets;
	struct client_keys *keys; /* NULL: those of the catalog */
	LIST_ENTRY(store) link;	  /* in catalog.open_stores */
};

struct catalog {
	struct loop *loop;
	struct net *net;
	struct catalog_options options;
	struct cache cache;
	struct listing stores;
	LIST_HEAD(, store) open_stores; /* with a listing of their secrets */
	struct store *only_store;
	struct client_keys keys;
	struct quota quota;
	struct recent_failures recent_failures;
	struct notices notices;
	struct sealed_cache sealed_cache;
	struct ordered_set name_queues;	       /* by listing and name */
	struct ordered_set stores_by_entry_id; /* stores */
	uint32_t last_walk;		       /* number of the walk that began last */
	unsigned guesses;      /* waits in a row for a rate limit that did not say when it ends */
	struct task heap_trim; /* after a walk */
	struct catalog_counts counts;

	struct api_call probe;
	struct wait first_page;
	unsigned probing; /* calls of catalog_probe without an answer */
	struct timer recovery_timer;
	struct api_call recovery; /* the call that finds out whether the service is back */
	void (*on_probed)(void *context, const struct failure *failure);
	void *probed_context;
};

/* Milliseconds between a stale answer and its refresh: most programs that are about to write a
 * name, or to delete it, have asked for it just before, and the change makes that needless. */
#define REFRESH_DELAY 300

/* Begin and end to ask a failing service about once a minute (recovery.c): the end of a call that
 * finds it so starts the timer. */
void recovery_init(struct catalog *catalog);
void recovery_stop(struct catalog *catalog);
/* Asks at once if it is failing. */
void recovery_hasten(struct catalog *catalog);

/* Makes everything that is cached stale (`refresh`). A refresh that waits is dropped: the next
 * request asks for itself. */
void listing_make_stale(struct listing *listing);

/* Starts a walk of the listing in the background, unless one runs, failed a moment ago, or would
 * come too soon after the last one. */
void listing_refresh(struct listing *listing);

/* Ends the walk and the queries of the listing, then the listing itself. */
void listing_close(struct listing *listing);

/* Returns a new store in catalog.open_stores, which holds its one reference; NULL when memory ran
 * out. */
struct store *store_new(struct catalog *catalog, uint32_t entry_id, const char *name,
			const char *id);

/* The order of catalog.name_queues: by listing, then by name. */
int name_queues_compare(const void *left, const void *right);

/* Drop the stores whose record is deleted, and all stores. */
void stores_collect(struct catalog *catalog);
void stores_free(struct catalog *catalog);
/* Adds the scopes of a service that does not list them (Stripe). Returns 0 or a negative errno. */
int local_stores_init(struct catalog *catalog);

/* Adds the scope `name` to the listing of stores of such a service. Returns 0, -ENOMEM, or
 * -ENAMETOOLONG over 255 bytes. */
int local_store_add(struct catalog *catalog, const char *name, size_t length);
