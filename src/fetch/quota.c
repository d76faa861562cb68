/* The quota of secrets: asks the service for it when the figures are stale. */
#include "sstorefs/quota.h"

#include <string.h>

#include "catalog.h"
#include "store_quota.h"

/* Milliseconds for which figures are fresh whatever `ttl` says: any process can ask for them, as
 * often as it likes. */
#define LIFE_MIN 5000

static const struct quota_figures unknown = {-1, -1};

static uint64_t now(const struct quota *quota)
{
	return loop_now(quota->catalog->loop);
}

void quota_init(struct quota *quota, struct catalog *catalog)
{
	*quota = (struct quota){.catalog = catalog, .figures = unknown};
}

void quota_finish(struct quota *quota)
{
	api_call_cancel(&quota->api_call);
}

void quota_invalidate(struct quota *quota)
{
	quota->expired = true;
	quota->exhausted_until = 0;
}

static bool is_fresh(const struct quota *quota)
{
	uint64_t ttl = quota->catalog->options.ttl, life = ttl > LIFE_MIN ? ttl : LIFE_MIN;

	return quota_is_known(quota) && !quota->expired &&
	       (life == CLOCK_NEVER || now(quota) - quota->reported_at < life);
}

static void on_response(struct api_call *api_call)
{
	struct quota *quota = container_of(api_call, struct quota, api_call);

	quota->is_querying = false;
	if (!api_call->failure.errnum) {
		quota->figures.limit = api_call->result.quota;
		quota->figures.usage = api_call->result.usage;
		quota->reported_at = now(quota);
		quota->expired = false;
		if (quota->figures.usage < quota->figures.limit)
			quota->exhausted_until = 0;
	}
	api_call_free(api_call);
	wait_wake_all(&quota->waits);
}

static void start_call(struct quota *quota)
{
	struct catalog *catalog = quota->catalog;

	if (quota->is_querying)
		return;
	quota->is_querying = true;
	quota->api_call = (struct api_call){.done = on_response};
	quota->api_call.args.operation = OPERATION_QUOTA;
	quota->api_call.cache_failure = true;
	api_call_start(catalog, &quota->api_call, now(quota) + catalog->options.timeout);
}

static void query_end(struct quota_query *query)
{
	struct catalog *catalog = query->catalog;

	quota_query_cancel(query);
	query->figures = catalog->quota.figures;
	if (catalog->options.provider->secrets_per_store)
		store_quota_count(catalog, query->store, &query->figures);
	query->done(query);
}

/* Walks the listings that must be counted, one after the other. */
static void await_listings(struct quota_query *query)
{
	struct listing *listing = store_quota_next_listing(query->catalog, query->store);

	if (!listing || walk_begin(listing))
		query_end(query);
	else
		wait_begin(&listing->next->waits, &query->wait);
}

static void on_walk(struct wait *wait)
{
	await_listings(container_of(wait, struct quota_query, wait));
}

static void on_quota(struct wait *wait)
{
	query_end(container_of(wait, struct quota_query, wait));
}

static void timed_out(struct timer *timer)
{
	query_end(container_of(timer, struct quota_query, timer));
}

void quota_query_start(struct catalog *catalog, struct quota_query *query)
{
	struct quota *quota = &catalog->quota;
	bool may_wait = !net_down(catalog->net) &&
			(!quota_is_known(quota) || quota->expired || catalog->options.minimal);

	query->catalog = catalog;
	query->timer = (struct timer){.expired = timed_out};
	query->wait.woken = on_quota;
	if (catalog->options.provider->secrets_per_store &&
	    !timer_start(catalog->loop, &query->timer, query->deadline)) {
		query->wait.woken = on_walk;
		await_listings(query);
		return;
	}
	if (!catalog->options.provider->has_quota || is_fresh(quota)) {
		query_end(query);
		return;
	}
	start_call(quota);
	if (may_wait && !timer_start(catalog->loop, &query->timer, query->deadline))
		wait_begin(&quota->waits, &query->wait);
	else
		query_end(query);
}

void quota_query_cancel(struct quota_query *query)
{
	wait_end(&query->wait);
	timer_stop(query->catalog->loop, &query->timer);
}

bool quota_is_exhausted(const struct catalog *catalog, const struct store *store)
{
	const struct quota *quota = &catalog->quota;
	bool here = !catalog->options.provider->quota_is_per_store ||
		    strcmp(quota->exhausted_store, store->id) == 0;

	if (quota->exhausted_until && now(quota) < quota->exhausted_until)
		return here;
	return store_quota_is_exhausted(store) ||
	       (quota_is_known(quota) && !quota->expired &&
		quota->figures.usage >= quota->figures.limit &&
		now(quota) - quota->reported_at < catalog->options.negative_ttl);
}
