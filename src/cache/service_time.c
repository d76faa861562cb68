/* The service's clock, as its responses show it. */
#include "cache.h"

wall_time_ns cache_time(const struct cache *cache)
{
	if (cache->last_date == TIME_UNKNOWN)
		return clock_wall();
	return cache->last_date +
	       (wall_time_ns)(loop_now(cache->loop) - cache->last_date_at) * (NANOSECONDS / 1000);
}

/* A service without a Date is taken to have the clock of this machine: then nothing that it created
 * is later than now. */
static bool is_since_by_our_clock(const struct cache *cache, wall_time_ns time, uint64_t since)
{
	wall_time_ns now = clock_wall();
	wall_time_ns sent_at =
		now - (wall_time_ns)(loop_now(cache->loop) - since) * (NANOSECONDS / 1000);

	return time / NANOSECONDS >= sent_at / NANOSECONDS && time <= now;
}

/* The times and the Date of a service are compared in whole seconds. */
bool cache_is_since(const struct cache *cache, wall_time_ns time, uint64_t since)
{
	wall_time_ns sent_at;

	if (time == TIME_UNKNOWN)
		return false;
	if (cache->last_date == TIME_UNKNOWN)
		return is_since_by_our_clock(cache, time, since);
	sent_at = cache->last_date -
		  (wall_time_ns)(cache->last_date_at - since) * (NANOSECONDS / 1000);
	return time / NANOSECONDS >= sent_at / NANOSECONDS;
}

bool record_is_past_expiry(const struct cache *cache, const struct record *record)
{
	return record->expires && record_expires_at(record) <= cache_time(cache);
}
