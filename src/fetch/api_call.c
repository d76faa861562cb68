/*
 * Asking the service: a provider's request goes out through the network, and its answer comes back through the provider. What is asked, and what
 * follows from the answer, is decided by those who ask.
 */
#include "sstorefs/api_call.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "catalog.h"

#define STACK_OF_READING (32u << 10) /* more than reading an answer takes */

#define DATE_LAST (INT64_C(4102444800) * NANOSECONDS) /* the year 2100 */

/* What each operation is to the network: does it only ask, or else may it be done twice, and does it carry a value? A client key that nobody
 * knows of changes nothing, either. */
static const struct {
	bool only_asks, repeatable, upload;
} kinds[OPERATION_COUNT] = {
	[OPERATION_LIST_STORES] = {.only_asks = true},
	[OPERATION_FIND_STORE] = {.only_asks = true},
	[OPERATION_CREATE_STORE] = {.repeatable = false},
	[OPERATION_DELETE_STORE] = {.repeatable = true},
	[OPERATION_LIST_SECRETS] = {.only_asks = true},
	[OPERATION_FIND_SECRET] = {.only_asks = true},
	[OPERATION_PUT_SECRET] = {.upload = true},
	[OPERATION_EDIT_SECRET] = {.repeatable = true},
	[OPERATION_DELETE_SECRET] = {.repeatable = true},
	[OPERATION_DUPLICATE_SECRET] = {.repeatable = false},
	[OPERATION_QUOTA] = {.only_asks = true},
	[OPERATION_CLIENT_KEY] = {.only_asks = true, .upload = true},
	[OPERATION_SIGNING_KEY] = {.only_asks = true},
};

/* A create must not be sent twice blindly; all other puts come out the same however often they are done. */
static bool is_repeatable(const struct ask *ask)
{
	if (ask->operation == OPERATION_PUT_SECRET)
		return ask->mode != PUT_CREATE;
	return kinds[ask->operation].only_asks || kinds[ask->operation].repeatable;
}

static void take_patience(struct inquiry *inquiry, const struct http_answer *answer)
{
	const struct provider *provider = inquiry->catalog->options.provider;
	struct patience patience = {.remaining = -1};

	if (!provider->patience)
		return;
	provider->patience(answer, &patience);
	inquiry->call.wait = patience.wait_ms;
	inquiry->call.once = patience.no_more;
	if (patience.remaining >= 0 &&
	    !(provider->reads_are_free && inquiry->call.request.method == HTTP_GET))
		net_budget(inquiry->catalog->net, patience.remaining, patience.resets_in_ms);
}

static void make_key(struct inquiry *inquiry)
{
	uint8_t random[18];

	randombytes_buf(random, sizeof random);
	sodium_bin2base64(inquiry->idempotency_key, sizeof inquiry->idempotency_key, random, sizeof random,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* Another key, as long as the old one, in the old one's place. */
static void renew_key(struct inquiry *inquiry)
{
	struct buffer *headers = &inquiry->call.request.headers;
	size_t length = strlen(inquiry->idempotency_key);
	char *at = length ? memmem(headers->data, headers->length, inquiry->idempotency_key, length) : NULL;

	if (!at)
		return;
	make_key(inquiry);
	memcpy(at, inquiry->idempotency_key, length);
}

/* What the value was quoted in is dropped, and what reading it has left on the stack. */
static void censor(struct inquiry *inquiry)
{
	if (!inquiry->unspeakable)
		return;
	failure_censor(&inquiry->call.failure, inquiry->unspeakable, inquiry->unspeakable_length);
	sodium_stackzero(STACK_OF_READING);
}

/* What the owner of an inquiry is told of an answer's entries. */
struct telling {
	const struct catalog *catalog;
	int (*take)(void *context, const struct entry *entry);
	void *context;
};

static int tell(void *context, const struct entry *entry)
{
	const struct telling *telling = context;
	const struct catalog *catalog = telling->catalog;

	if (entry->id && departures_have(&catalog->departures, entry->id, loop_now(catalog->loop)))
		return 0;
	return telling->take(telling->context, entry);
}

/* A date that no clock shows is none, and sums with it could not be held. */
static void take_date(struct inquiry *inquiry, const char *text)
{
	wall_time date;

	inquiry->answered_at = TIME_UNKNOWN;
	if (!text || time_parse_http(text, &date) || date < 0 || date > DATE_LAST)
		return;
	inquiry->answered_at = date;
	inquiry->catalog->last_date = date;
	inquiry->catalog->last_date_at = loop_now(inquiry->catalog->loop);
}

static enum verdict judge(struct call *call, const struct http_answer *answer)
{
	struct inquiry *inquiry = container_of(call, struct inquiry, call);
	struct telling telling = {inquiry->catalog, inquiry->result.take, inquiry->result.context};
	const struct provider *provider = inquiry->catalog->options.provider;
	const char *date = http_answer_header(answer, "Date");
	int failed;

	static const enum verdict verdicts[] = {[REMEDY_NONE] = VERDICT_FAILED,
						[REMEDY_LATER] = VERDICT_AGAIN,
						[REMEDY_LOOK] = VERDICT_UNREADABLE};

	take_date(inquiry, date);
	take_patience(inquiry, answer);
	result_finish(&inquiry->result);
	inquiry->result = (struct result){.take = tell, .context = &telling, .total = -1};
	inquiry->remedy = REMEDY_NONE;
	call->failure = (struct failure){0};
	failed = provider->operations[inquiry->ask.operation].answer(&inquiry->ask, answer, &inquiry->result,
								     &call->failure, &inquiry->remedy);
	inquiry->result.take = telling.take;
	inquiry->result.context = telling.context;
	if (!failed) {
		const char *id = http_answer_header(answer, provider->request_id_header);

		call->failure.status = answer->status;
		snprintf(call->failure.request_id, sizeof call->failure.request_id, "%s", id ? id : "");
	}
	censor(inquiry);
	/* A 5xx that could be read may be kept for the key, and given again (DESIGN 3, rule 13). */
	if (failed && answer->status >= 500)
		renew_key(inquiry);
	return failed ? verdicts[inquiry->remedy] : VERDICT_DONE;
}

/* What anybody's question came to; and a change that was made, or a listing that came, may have made an end of what was refused. */
static void remember(struct inquiry *inquiry)
{
	struct refusals *refusals = &inquiry->catalog->refusals;

	if (inquiry->is_anybodys)
		refusals_note(refusals, &inquiry->ask, &inquiry->failure, loop_now(inquiry->catalog->loop));
	if (!inquiry->failure.error && !kinds[inquiry->ask.operation].only_asks)
		refusals_forget(refusals, inquiry->ask.store_id);
}

static void finished(struct call *call)
{
	struct inquiry *inquiry = container_of(call, struct inquiry, call);
	struct catalog_counts *counts = &inquiry->catalog->counts;

	inquiry->failure = call->failure;
	remember(inquiry);
	counts->milliseconds[inquiry->ask.operation] += loop_now(inquiry->catalog->loop) - inquiry->began_at;
	if (inquiry->failure.error)
		counts->failed[inquiry->ask.operation]++;
	if (!inquiry->failure.error && inquiry->result.deleted_async && inquiry->ask.id)
		departures_add(&inquiry->catalog->departures, inquiry->ask.id,
			       loop_now(inquiry->catalog->loop));
	quota_heard(&inquiry->catalog->quota, &inquiry->ask, &inquiry->failure);
	inquiry->done(inquiry);
}

/* Asked a moment ago, in vain: no call is made, and none counted. */
static void unasked_again(struct task *task)
{
	struct inquiry *inquiry = container_of(task, struct inquiry, task);

	inquiry->failure = inquiry->call.failure;
	inquiry->done(inquiry);
}

/* What could not even be asked is told from the loop, as everything else. */
static void unasked(struct task *task)
{
	struct inquiry *inquiry = container_of(task, struct inquiry, task);

	http_request_finish(&inquiry->call.request);
	finished(&inquiry->call);
}

void inquiry_start(struct catalog *catalog, struct inquiry *inquiry, uint64_t deadline)
{
	const struct provider *provider = catalog->options.provider;
	const struct failure *known = NULL;
	struct call *call = &inquiry->call;
	int failed;

	*call = (struct call){.deadline = deadline, .judge = judge, .done = finished};
	call->upload = kinds[inquiry->ask.operation].upload;
	call->only_asks = kinds[inquiry->ask.operation].only_asks;
	call->repeatable = is_repeatable(&inquiry->ask);
	call->request.body.pool = inquiry->pool;
	inquiry->catalog = catalog;
	inquiry->began_at = loop_now(catalog->loop);
	inquiry->answered_at = TIME_UNKNOWN;
	inquiry->ask.account = catalog->options.account;
	inquiry->task = (struct task){.run = unasked};
	if (inquiry->is_anybodys)
		known = refusals_find(&catalog->refusals, &inquiry->ask, loop_now(catalog->loop));
	if (known) {
		call->failure = *known;
		inquiry->task.run = unasked_again;
		task_queue(catalog->loop, &inquiry->task);
		return;
	}
	if (provider->has_idempotency_keys) {
		make_key(inquiry);
		inquiry->ask.idempotency_key = inquiry->idempotency_key;
	}
	catalog->counts.calls[inquiry->ask.operation]++;
	if (provider->operations[inquiry->ask.operation].ask)
		failed = provider->operations[inquiry->ask.operation].ask(&inquiry->ask, &call->request);
	else
		failed = -EOPNOTSUPP;
	if (failed) {
		failure_set(&call->failure, -failed, "the request for %s cannot be made: %s",
			    operation_name(inquiry->ask.operation), strerror(-failed));
		task_queue(catalog->loop, &inquiry->task);
		return;
	}
	call_start(catalog->net, call);
}

void inquiry_cancel(struct inquiry *inquiry)
{
	if (inquiry->task.link) {
		task_cancel(&inquiry->task);
		http_request_finish(&inquiry->call.request);
	}
	call_cancel(&inquiry->call);
	inquiry_finish(inquiry);
}

void inquiry_finish(struct inquiry *inquiry)
{
	struct result again = {.take = inquiry->result.take, .context = inquiry->result.context};

	result_finish(&inquiry->result);
	inquiry->result = again; /* the next page may be asked for with it */
}
