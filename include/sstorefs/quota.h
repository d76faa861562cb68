#ifndef SSTOREFS_QUOTA_H
#define SSTOREFS_QUOTA_H

#include "sstorefs/catalog.h"

/*
 * The quota of secrets: how many there may be, how many there are, and whether it is worth trying
 * to add one.
 */
struct quota_figures {
	int64_t limit, usage; /* -1: not known, or the service has no such figures */
};

/* A question for the figures. Embedded in its owner, zeroed, `done` and `deadline` filled in. */
struct quota_query {
	uint64_t deadline; /* CLOCK_BOOTTIME, milliseconds */
	void (*done)(struct quota_query *query);

	struct quota_figures figures;

	struct catalog *catalog; /* the catalog's, from here */
	struct wait wait;
	struct timer timer;
};

/* Answered from memory where something is known: figures past their time once more, while they are
 * asked for anew. `done` is called once, from the loop or from within quota_ask. A service that
 * can't be asked is no failure: what is known then, or -1. */
void quota_query_start(struct catalog *catalog, struct quota_query *query);
void quota_query_cancel(struct quota_query *query);

/* Whether a new secret in `store` is known to be one too many, and was told so within negative_ttl.
 */
bool quota_is_exhausted(const struct catalog *catalog, const struct store *store);

#endif
