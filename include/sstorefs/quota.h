#pragma once

#include "sstorefs/catalog.h"

/*
 * The quota of secrets: how many there may be, and how many there are.
 */
struct quota_figures {
	int64_t limit, usage; /* -1: not known, or the service has no quota */
};

/* A query for the figures. Embedded in its owner, zeroed, `done` and `deadline` filled in. */
struct quota_query {
	uint64_t deadline;   /* CLOCK_BOOTTIME, milliseconds */
	struct store *store; /* whose quota it is, borrowed, where each store has its own; NULL: of
				all stores together */
	void (*done)(struct quota_query *query);

	struct quota_figures figures;

	struct catalog *catalog; /* internal from here */
	struct wait wait;
	struct timer timer;
};

/*
 * Answers from the cache if the figures are known; stale ones are refreshed in the background.
 * `done` is called once, from the loop or from within. If the service cannot be asked that is no
 * failure: the figures are those that are known, or -1.
 */
void quota_query_start(struct catalog *catalog, struct quota_query *query);
void quota_query_cancel(struct quota_query *query);

/* True if a new secret in `store` exceeds the quota that the service told within negative_ttl. */
bool quota_is_exhausted(const struct catalog *catalog, const struct store *store);
