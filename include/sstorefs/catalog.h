#ifndef SSTOREFS_CATALOG_H
#define SSTOREFS_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "sstorefs/loop.h"
#include "sstorefs/net.h"
#include "sstorefs/provider.h"
#include "sstorefs/wait.h"

/*
 * The catalog: what is known about stores and secrets, and how it gets known. One listing for the stores, and one for the secrets of
 * each store that was looked at.
 */
struct catalog;
struct listing;

/*
 * What is known of one store or secret. Packed into a snapshot: 100 000 of them are a normal size. Read-only
 * outside the store room; a pointer is good until the loop's next turn.
 */
struct record {
	uint32_t entry_id;	 /* of the entry: new for every creation, never used again in this process */
	uint32_t changed_at;	 /* last change in whole seconds since 1970; 0: unknown */
	uint32_t verified_at;	 /* when the service last told it, CLOCK_BOOTTIME, 1/16 s; 0: too long ago */
	uint32_t listing : 24;	 /* number of its listing */
	uint32_t deleted : 1;	 /* known not to exist: a tombstone */
	uint32_t superseded : 1; /* another record took its place in this snapshot */
	uint32_t relocated : 1;	 /* it took the place of a dead one, where directories go on showing it */
	uint32_t invalid : 1;	 /* not to be believed: an outcome is unknown until it was read again */
	uint32_t walk_round : 2; /* of a walk that goes round again: the one in which it was last seen */
	uint32_t
		local_change : 1; /* our own change to it was completed while the walk ran that runs now, or ran last */
	uint16_t size;		  /* of the whole, in units of RECORD_ALIGNMENT */
	uint8_t name_length;
	uint8_t expires : 1;	  /* has an expiry: look at it before you believe the record */
	uint8_t mtime_has_ns : 1; /* its last change is told finer than changed_at */
	char name[];		  /* displayed; the fields follow */
};

/* Unpacks a record. Texts point into the record or into `entry`'s own memory and live as long as both. */
struct entry_text {
	char digest[64];
};
void record_entry(const struct record *record, struct entry *entry, struct entry_text *text);

/* Single fields without unpacking the rest; NULL and TIME_UNKNOWN where absent. */
const char *record_id(const struct record *record);
wall_time_ns record_changed_at(const struct record *record);
wall_time_ns record_expires_at(const struct record *record);

/*
 * One walk's worth of a listing: records in the order in which they came, only ever appended to. Shared by the
 * listing and all directories that were opened on it; freed with the last of them.
 */
struct snapshot;
struct snapshot *snapshot_reference(struct snapshot *snapshot);
void snapshot_release(struct snapshot *snapshot);

/*
 * The first record at or after `*position` (0 is the beginning) that a directory shows; `*position` then is where
 * the next one may begin. NULL at the present end, `*position` untouched. What the record says may be old: what is
 * known now is catalog_record() of its serial number, and NULL there means that it went.
 */
const struct record *snapshot_next(const struct snapshot *snapshot, uint64_t *position);

/* The nearest position at or after `position` where a record may begin, for positions that come from outside. */
uint64_t snapshot_align_position(const struct snapshot *snapshot, uint64_t position);

/* Whether more records will come; and once none will, why the walk failed (NULL: it is whole). */
bool snapshot_is_filling(const struct snapshot *snapshot);
const struct failure *snapshot_failure(const struct snapshot *snapshot);

/* Whether it grows, but all was forgotten since (`refresh`): what it brings is not what is asked for now. */
bool snapshot_is_stale(const struct snapshot *snapshot);

/* Woken at every page, when an attempt to fetch one failed, and at the end. */
struct wait_list *snapshot_waits(struct snapshot *snapshot);

/* Settings, borrowed strings that outlive the catalog. */
struct catalog_options {
	const struct provider *provider;
	const char *account;
	const char *store;     /* displayed name of the only store, or NULL */
	uint64_t ttl;	       /* milliseconds; CLOCK_NEVER: for ever */
	uint64_t negative_ttl; /* milliseconds */
	uint64_t timeout;      /* milliseconds: the budget of one operation */
	bool minimal;	   /* answers older than a second are never given while the service can be asked */
	const char *users; /* Stripe: scopes known from the start */
	const char *scopes, *comment; /* Cloudflare: of new secrets; NULL: the provider's default, none */
	uint64_t expires;	      /* Stripe: seconds that new secrets live; 0: for ever */
	const uint8_t *signing_key;   /* crypto_sign_PUBLICKEYBYTES bytes, or NULL: trust what the API says */
};

/* Everything borrowed must outlive the catalog. */
int catalog_new(struct catalog **catalog, struct loop *loop, struct net *net,
		const struct catalog_options *options);
void catalog_free(struct catalog *catalog);

/*
 * The first real call: whether the token is accepted, and with `options.store` whether there is such a store. `done` is called once, from the
 * loop, with errno 0 or a failure.
 */
void catalog_probe(struct catalog *catalog, void (*done)(void *context, const struct failure *failure),
		   void *context);

const struct catalog_options *catalog_options(const struct catalog *catalog);

/* The record of the entry `serial` as it is known now; NULL when it is gone or past its expiry. Answered from memory, in constant time. */
const struct record *catalog_record(const struct catalog *catalog, uint32_t entry_id);

/* A serial number that was never used before. */
uint32_t catalog_new_entry_id(struct catalog *catalog);

/* The time by the service's clock as far as it is known, else by ours: what expiries are compared with. */
wall_time_ns catalog_time(const struct catalog *catalog);

/* Forgets every listing's freshness (`refresh`, SIGHUP): the next question goes to the service. */
void catalog_refresh(struct catalog *catalog);

/*
 * A store that somebody looked at. Referenced by whoever keeps a pointer over a turn of the loop.
 */
struct store;
struct store *store_reference(struct store *store);
void store_release(struct store *store);
const char *store_name(const struct store *store);
const char *store_id(const struct store *store);
struct listing *store_secrets(struct store *store);
/* The store behind a record of the listing of stores; NULL when memory ran out. Not referenced for the caller. */
struct store *catalog_store(struct catalog *catalog, const struct record *record);
/* The only store of a mount of one store, or NULL. */
struct store *catalog_only_store(struct catalog *catalog);

/* The listing of stores, and the listing (of stores or secrets) that a record is in. */
struct listing *catalog_stores(struct catalog *catalog);
struct listing *catalog_listing(const struct catalog *catalog, const struct record *record);

/* The store whose secrets a listing holds; NULL for the listing of stores. */
struct store *listing_store(const struct listing *listing);

/* Whether what the listing says (of `record`, or of names that it does not have if NULL) is past its time and the refresh had a failed attempt. */
bool listing_is_stale(const struct listing *listing, const struct record *record);
/* Milliseconds for which an answer from memory about `record` (NULL: about an absent name) is still fresh and not past
 * its expiry; at least 0. */
uint64_t listing_time_left(const struct listing *listing, const struct record *record);

/* What memory says of a name. */
enum cache_result { CACHE_HIT, CACHE_NEGATIVE, CACHE_MISS };

/*
 * Answers from memory. Sets `*record` when it is present. An answer past its time is given all the same, and refreshed in the background.
 */
enum cache_result listing_query(struct listing *listing, const char *name, const struct record **record);

/* What is known to be there under a name, however old, and even if it is in doubt; NULL: nothing. Nothing is begun. */
const struct record *listing_peek_any(const struct listing *listing, const char *name);

/* As listing_query, for an entry found by its serial: begins a refresh in the background where the record is past its time. */
void listing_revalidate(struct listing *listing, const struct record *record);

/*
 * Finds out about one name. Embedded in its owner, zeroed, `name` copied in; `done` is called once, from the loop or from within
 * lookup_start. `failure.error` is 0 (then look with listing_query or `record`), ENOENT, or why it could not be found out.
 */
struct lookup {
	char name[256];
	uint64_t deadline;
	bool bypass_cache; /* do not believe memory: read it from the service */
	void (*done)(struct lookup *lookup);
	struct failure failure;
	const struct record *record; /* for the length of done() */

	struct listing *listing; /* the catalog's, from here */
	struct wait wait;
	struct timer timer;
	struct name_query *query;
	uint32_t ignore_walks_until; /* walks up to this one are no answer */
	uint32_t walk;		     /* that is waited for */
};
void lookup_start(struct listing *listing, struct lookup *lookup);
void lookup_cancel(struct lookup *lookup);

/* Whether the last attempt to refresh it failed. */
bool listing_last_refresh_failed(const struct listing *listing);

/*
 * The snapshot a directory shows when it is opened now; begins a walk where one is due. Referenced for the caller. NULL with `failure` set when there is nothing
 * to show and the service can't be asked.
 */
struct snapshot *listing_open_view(struct listing *listing, struct failure *failure);

/* The last whole listing, however old, referenced for the caller; NULL: there never was one. */
struct snapshot *listing_last_complete(struct listing *listing);

/* Our own changes, once the service has accepted them. `serial` 0: a new one when the name is new. Return the record, NULL when memory ran out. */
const struct record *listing_local_put(struct listing *listing, const struct entry *entry, uint32_t entry_id);
void listing_local_delete(struct listing *listing, const char *name);
/* `to`, which was put before, is what `from` was: `serial`, the number of `from`, stands for it from now on. */
void listing_local_rename(struct listing *listing, const char *from, const char *to, uint32_t entry_id);
/* What is known of `name` is no longer believed: the next question about it goes to the service. If it turns out to be there, and was not before, it
 * gets the number `serial` (0: any). */
void listing_invalidate(struct listing *listing, const char *name, uint32_t entry_id);

/* The file `serial` has lost its name, or goes on under another one: what is there as `name`, or will be found, has a number of its own. */
void listing_reassign_id(struct listing *listing, const char *name, uint32_t entry_id);

/* Whether `name` must be read again before it is believed. */
bool listing_is_invalid(const struct listing *listing, const char *name);

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
			  void (*each)(void *context, const struct listing_status *status), void *context);
struct catalog_counts {
	uint64_t hits, misses, walks, pages, name_queries;
	uint64_t calls[OPERATION_COUNT], failed[OPERATION_COUNT];
	uint64_t milliseconds[OPERATION_COUNT];
	uint64_t sealed_bytes;
};
const struct catalog_counts *catalog_counts(const struct catalog *catalog);

/* Why the service cannot be reached now; NULL if it can, as far as is known. */
const struct failure *catalog_down(const struct catalog *catalog);

/* The refusal of the credentials that nothing has contradicted since, and when it came; NULL: they are good as far as is known. */
const struct failure *catalog_unauthorized(const struct catalog *catalog);
uint64_t catalog_unauthorized_since(const struct catalog *catalog);

/* Figures of the network. */
const struct net_counts *catalog_net_counts(const struct catalog *catalog);

/* "list_stores" for OPERATION_LIST_STORES. */
const char *catalog_operation_name(enum operation operation);

#endif
