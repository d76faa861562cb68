/* The quota of secrets: what the service says of it, and what our own creations and deletions make of that. Whether an open is refused for it is the fs room's matter. */
#include "sstorefs/quota.h"

#include <errno.h>
#include <string.h>

#include "catalog.h"

#define LIFE_MIN 5000 /* milliseconds, whatever `ttl` says: any process may ask, and as often as it likes */

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
	inquiry_cancel(&quota->inquiry);
}

void quota_forget(struct quota *quota)
{
	quota->expired = true;
	quota->full_until = 0;
}

/* Asking */

static bool is_known(const struct quota *quota)
{
	return quota->figures.limit >= 0;
}

static bool is_fresh(const struct quota *quota)
{
	uint64_t ttl = quota->catalog->options.ttl, life = ttl > LIFE_MIN ? ttl : LIFE_MIN;

	return is_known(quota) && !quota->expired &&
	       (life == CLOCK_NEVER || now(quota) - quota->told_at < life);
}

static void answered(struct inquiry *inquiry)
{
	struct quota *quota = container_of(inquiry, struct quota, inquiry);

	quota->asking = false;
	if (!inquiry->failure.error) {
		quota->figures.limit = inquiry->result.quota;
		quota->figures.usage = inquiry->result.usage;
		quota->told_at = now(quota);
		quota->expired = false;
		if (quota->figures.usage < quota->figures.limit)
			quota->full_until = 0;
	}
	inquiry_finish(inquiry);
	wait_wake_all(&quota->waits);
}

static void begin(struct quota *quota)
{
	struct catalog *catalog = quota->catalog;

	if (quota->asking)
		return;
	quota->asking = true;
	quota->inquiry = (struct inquiry){.done = answered};
	quota->inquiry.ask.operation = OPERATION_QUOTA;
	quota->inquiry.is_anybodys = true;
	inquiry_start(catalog, &quota->inquiry, now(quota) + catalog->options.timeout);
}

static void end(struct quota_question *question)
{
	wait_end(&question->wait);
	timer_stop(question->catalog->loop, &question->timer);
	question->figures = question->catalog->quota.figures;
	question->done(question);
}

static void woken(struct wait *wait)
{
	end(container_of(wait, struct quota_question, wait));
}

static void timed_out(struct timer *timer)
{
	end(container_of(timer, struct quota_question, timer));
}

void quota_ask(struct catalog *catalog, struct quota_question *question)
{
	struct quota *quota = &catalog->quota;
	bool may_wait =
		!net_down(catalog->net) && (!is_known(quota) || quota->expired || catalog->options.minimal);

	question->catalog = catalog;
	question->timer = (struct timer){.expired = timed_out};
	question->wait.woken = woken;
	if (!catalog->options.provider->has_quota || is_fresh(quota)) {
		end(question);
		return;
	}
	begin(quota);
	if (may_wait && !timer_start(catalog->loop, &question->timer, question->deadline))
		wait_begin(&quota->waits, &question->wait);
	else
		end(question);
}

void quota_cancel(struct quota_question *question)
{
	wait_end(&question->wait);
	timer_stop(question->catalog->loop, &question->timer);
}

/* Hearing */

static bool creates(const struct ask *ask)
{
	return ask->operation == OPERATION_DUPLICATE_SECRET ||
	       (ask->operation == OPERATION_PUT_SECRET && ask->mode != PUT_REPLACE);
}

static void note_refusal(struct quota *quota, const struct ask *ask)
{
	quota->full_until = now(quota) + quota->catalog->options.negative_ttl;
	quota->full_store[0] = '\0';
	if (ask->store_id && strlen(ask->store_id) < sizeof(quota->full_store))
		strcpy(quota->full_store, ask->store_id);
}

/* Of a put that creates or replaces nobody knows which it did; services with figures have none. */
static void move(struct quota *quota, int64_t by)
{
	if (is_known(quota) && quota->figures.usage + by >= 0)
		quota->figures.usage += by;
}

void quota_heard(struct quota *quota, const struct ask *ask, const struct failure *failure)
{
	if (creates(ask) && failure->error == EDQUOT) {
		note_refusal(quota, ask);
	} else if (creates(ask) && !failure->error) {
		move(quota, ask->mode != PUT_EITHER);
	} else if (ask->operation == OPERATION_DELETE_SECRET && !failure->error) {
		move(quota, -1);
		quota->full_until = 0;
	}
}

bool quota_is_used_up(const struct catalog *catalog, const struct store *store)
{
	const struct quota *quota = &catalog->quota;
	bool here =
		!catalog->options.provider->quota_is_per_store || strcmp(quota->full_store, store->id) == 0;

	if (quota->full_until && now(quota) < quota->full_until)
		return here;
	return is_known(quota) && !quota->expired && quota->figures.usage >= quota->figures.limit &&
	       now(quota) - quota->told_at < catalog->options.negative_ttl;
}
