#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sstorefs/lookup.h"
#include "sstorefs/loop.h"
#include "sstorefs/metrics.h"
#include "sstorefs/net.h"
#include "sstorefs/provider.h"
#include "sstorefs/store.h"
#include "sstorefs/wait.h"

/*
 * The catalog: the cache of stores and secrets and the requests that fill it. It has one listing of
 * the stores, and one of the secrets of each store that was opened.
 */
struct catalog;

/* Settings. All pointers are borrowed and outlive the catalog. */
struct catalog_options {
	const struct provider *provider;
	const char *account, *context, *api_version; /* as in struct op_args */
	const char *store;			     /* displayed name of the only store, or NULL */
	uint64_t ttl;				     /* milliseconds; CLOCK_NEVER: without end */
	uint64_t negative_ttl;			     /* milliseconds */
	uint64_t timeout;			     /* milliseconds: the budget of one operation */
	bool minimal; /* never answer from a cache older than a second while the service is up */
	const char *users; /* Stripe: scopes that exist from the start */
	const char *scopes,
		*comment; /* Cloudflare: of new secrets; NULL: the provider's default, none */
	const char *visibility, *repositories; /* the same, GitHub */
	uint64_t expires;	    /* Stripe: lifetime of new secrets, seconds; 0: unlimited */
	const uint8_t *signing_key; /* crypto_sign_PUBLICKEYBYTES bytes; NULL: that of the API */
};

/* Returns 0 or -ENOMEM. `loop` and `net` are borrowed and outlive the catalog. */
int catalog_new(struct catalog **catalog, struct loop *loop, struct net *net,
		const struct catalog_options *options);
void catalog_free(struct catalog *catalog);

/*
 * Sends the first call: is the token accepted, and with `options.store`, does the store exist? With
 * `verify_key` fetches the account's client key beside it, which the first value is sealed under:
 * does its signature fit? A key that does not come at the first attempt is no failure, but is
 * logged. `done` is called once, with errnum 0 or a failure.
 */
void catalog_probe(struct catalog *catalog, bool verify_key,
		   void (*done)(void *context, const struct failure *failure), void *context);

/* Returns the settings, as long as the catalog lives. */
const struct catalog_options *catalog_options(const struct catalog *catalog);

/* Returns the present record of the entry `entry_id`; NULL if it is deleted or past its expiry.
 * From the cache, in constant time. */
const struct record *catalog_record(const struct catalog *catalog, uint32_t entry_id);

/* Returns an entry id that was never used before. */
uint32_t catalog_new_entry_id(struct catalog *catalog);

/* Returns the time by the service's clock as far as it is known, else by that of this machine:
 * expiries are compared with it. */
wall_time_ns catalog_time(const struct catalog *catalog);

/* Makes every listing stale (`refresh`, SIGHUP): the next request goes to the service. */
void catalog_refresh(struct catalog *catalog);

/* Returns the store of a record of the listing of stores, not referenced for the caller; NULL when
 * memory ran out. */
struct store *catalog_store(struct catalog *catalog, const struct record *record);

/* Returns the only store of a mount of one store; else NULL. */
struct store *catalog_only_store(struct catalog *catalog);

/* Return the listing of stores, and the listing (of stores or secrets) that holds a record. */
struct listing *catalog_stores(struct catalog *catalog);
struct listing *catalog_listing(const struct catalog *catalog, const struct record *record);

/* The state of one listing, for the control files. */
struct listing_status {
	const char *name; /* the store's; NULL: the listing of stores */
	uint64_t entries;
	uint64_t age; /* milliseconds since it was complete; CLOCK_NEVER: it never was */
	bool fresh, stale, walking;
	uint64_t names_too_long; /* names over 255 bytes */
	uint64_t whole_walk_ms;	 /* duration of the last whole walk */
};
void catalog_each_listing(struct catalog *catalog,
			  void (*each)(void *context, const struct listing_status *status),
			  void *context);

struct catalog_counts {
	uint64_t hits, misses, walks, pages, name_queries;
	uint64_t not_modified; /* pages that had not changed */
	uint64_t calls[OPERATION_COUNT], failed[OPERATION_COUNT];
	struct histogram durations[OPERATION_COUNT];
	uint64_t sealed_bytes;
};
const struct catalog_counts *catalog_counts(const struct catalog *catalog);

/* Returns why the service cannot be reached now; NULL if it can, as far as is known. */
const struct failure *catalog_down(const struct catalog *catalog);

/* Returns why no change can be made now, which may concern changes alone (a rate limit); NULL. */
const struct failure *catalog_down_for_changes(const struct catalog *catalog);

/* Returns until when the rate limit lets no change through, CLOCK_BOOTTIME milliseconds; 0: it
 * lets them through. */
uint64_t catalog_changes_refused_until(const struct catalog *catalog);

/* Return the last rejection of the credentials, unless a call succeeded since (NULL), and when it
 * came, CLOCK_BOOTTIME milliseconds. */
const struct failure *catalog_unauthorized(const struct catalog *catalog);
uint64_t catalog_unauthorized_since(const struct catalog *catalog);

/* Returns the counters of the network. */
const struct net_counts *catalog_net_counts(const struct catalog *catalog);

/* Returns "list_stores" for OPERATION_LIST_STORES, and so on. */
const char *catalog_operation_name(enum operation operation);
