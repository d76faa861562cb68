#ifndef SSTOREFS_CATALOG_H
#define SSTOREFS_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "sstorefs/lookup.h"
#include "sstorefs/loop.h"
#include "sstorefs/net.h"
#include "sstorefs/provider.h"
#include "sstorefs/store.h"
#include "sstorefs/wait.h"

/*
 * The catalog: what is known about stores and secrets, and how it gets known. One listing for the
 * stores, and one for the secrets of each store that was looked at.
 */
struct catalog;
/* Settings, borrowed strings that outlive the catalog. */
struct catalog_options {
	const struct provider *provider;
	const char *account;
	const char *store;     /* displayed name of the only store, or NULL */
	uint64_t ttl;	       /* milliseconds; CLOCK_NEVER: for ever */
	uint64_t negative_ttl; /* milliseconds */
	uint64_t timeout;      /* milliseconds: the budget of one operation */
	bool minimal; /* answers older than a second are never given while the service can be asked
		       */
	const char *users; /* Stripe: scopes known from the start */
	const char *scopes,
		*comment; /* Cloudflare: of new secrets; NULL: the provider's default, none */
	uint64_t expires; /* Stripe: seconds that new secrets live; 0: for ever */
	const uint8_t *signing_key; /* crypto_sign_PUBLICKEYBYTES bytes, or NULL: trust what the API
				       says */
};

/* Everything borrowed must outlive the catalog. */
int catalog_new(struct catalog **catalog, struct loop *loop, struct net *net,
		const struct catalog_options *options);
void catalog_free(struct catalog *catalog);

/*
 * The first real call: whether the token is accepted, and with `options.store` whether there is
 * such a store. `done` is called once, from the loop, with errno 0 or a failure.
 */
void catalog_probe(struct catalog *catalog,
		   void (*done)(void *context, const struct failure *failure), void *context);

const struct catalog_options *catalog_options(const struct catalog *catalog);

/* The record of the entry `serial` as it is known now; NULL when it is gone or past its expiry.
 * Answered from memory, in constant time. */
const struct record *catalog_record(const struct catalog *catalog, uint32_t entry_id);

/* A serial number that was never used before. */
uint32_t catalog_new_entry_id(struct catalog *catalog);

/* The time by the service's clock as far as it is known, else by ours: what expiries are compared
 * with. */
wall_time_ns catalog_time(const struct catalog *catalog);

/* Forgets every listing's freshness (`refresh`, SIGHUP): the next question goes to the service. */
void catalog_refresh(struct catalog *catalog);

/* The store behind a record of the listing of stores; NULL when memory ran out. Not referenced for
 * the caller. */
struct store *catalog_store(struct catalog *catalog, const struct record *record);
/* The only store of a mount of one store, or NULL. */
struct store *catalog_only_store(struct catalog *catalog);

/* The listing of stores, and the listing (of stores or secrets) that a record is in. */
struct listing *catalog_stores(struct catalog *catalog);
struct listing *catalog_listing(const struct catalog *catalog, const struct record *record);

/* For status. */
struct listing_status {
	const char *name; /* the store's; NULL: the listing of stores */
	uint64_t entries;
	uint64_t age; /* milliseconds since it was complete; CLOCK_NEVER: never was */
	bool fresh, stale, walking;
	uint64_t names_too_long; /* names over 255 bytes */
	uint64_t whole_walk_ms;	 /* milliseconds */
};
void catalog_each_listing(struct catalog *catalog,
			  void (*each)(void *context, const struct listing_status *status),
			  void *context);
struct catalog_counts {
	uint64_t hits, misses, walks, pages, name_queries;
	uint64_t calls[OPERATION_COUNT], failed[OPERATION_COUNT];
	uint64_t milliseconds[OPERATION_COUNT];
	uint64_t sealed_bytes;
};
const struct catalog_counts *catalog_counts(const struct catalog *catalog);

/* Why the service cannot be reached now; NULL if it can, as far as is known. */
const struct failure *catalog_down(const struct catalog *catalog);

/* The refusal of the credentials that nothing has contradicted since, and when it came; NULL: they
 * are good as far as is known. */
const struct failure *catalog_unauthorized(const struct catalog *catalog);
uint64_t catalog_unauthorized_since(const struct catalog *catalog);

/* Figures of the network. */
const struct net_counts *catalog_net_counts(const struct catalog *catalog);

/* "list_stores" for OPERATION_LIST_STORES. */
const char *catalog_operation_name(enum operation operation);

#endif
