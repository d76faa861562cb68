/*
 * One call of a service's API: the provider builds the request and parses the response, the network
 * carries both.
 */
#include "sstorefs/api_call.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "catalog.h"

#define SEARCH_PAGES_MAX 100 /* ends a search that does not end by itself */

#define GUESSES_MAX 6 /* doublings of a wait that the service does not measure */

/* From one call to a failing service to the next, milliseconds: a minute on average. Drawn, because
 * all clients of a service see an outage end at the same moment. */
#define RECOVERY_PAUSE_MIN 45000
#define RECOVERY_PAUSE_MAX 75000

#define PARSER_STACK (32u << 10) /* more stack than parsing a response takes, in bytes */

#define DATE_LAST (INT64_C(4102444800) * NANOSECONDS) /* the year 2100 */

/* A create must not be sent twice without a lookup; all other puts are idempotent. */
static bool is_idempotent(const struct op_args *args)
{
	if (args->operation == OPERATION_PUT_SECRET)
		return args->mode != PUT_CREATE;
	return api_operations[args->operation].safe || api_operations[args->operation].idempotent;
}

static void apply_rate_limit(struct api_call *api_call, const struct http_response *response)
{
	struct catalog *catalog = api_call->catalog;
	const struct provider *provider = catalog->options.provider;
	struct rate_limit limit = {.remaining = -1};

	if (!provider->read_rate_limit)
		return;
	provider->read_rate_limit(response, &limit);
	api_call->http.retry_after = limit.wait_ms << (limit.wait_is_guess ? catalog->guesses : 0);
	if (!limit.wait_is_guess && response->status < 400)
		catalog->guesses = 0;
	else if (limit.wait_is_guess && catalog->guesses < GUESSES_MAX)
		catalog->guesses++;
	api_call->http.no_retry = api_call->once || limit.do_not_retry;
	if (limit.remaining >= 0)
		net_set_rate_limit(catalog->net, limit.remaining, limit.resets_in_ms);
}

static void make_idempotency_key(struct api_call *api_call)
{
	uint8_t random[18];

	randombytes_buf(random, sizeof random);
	sodium_bin2base64(api_call->idempotency_key, sizeof api_call->idempotency_key, random,
			  sizeof random, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* Replaces the idempotency key in the request by a new one of the same length. */
static void renew_idempotency_key(struct api_call *api_call)
{
	struct buffer *headers = &api_call->http.request.headers;
	size_t length = strlen(api_call->idempotency_key);
	char *at =
		length ? memmem(headers->data, headers->length, api_call->idempotency_key, length)
		       : NULL;

	if (!at)
		return;
	make_idempotency_key(api_call);
	memcpy(at, api_call->idempotency_key, length);
}

/* Takes in what the service says, without words that quote the value, and wipes what reading it has
 * left on the stack. A change that failed is explained by all of it. */
static void take_words(struct api_call *api_call, bool failed)
{
	struct failure *failure = &api_call->http.failure;
	bool is_change = !api_operations[api_call->args.operation].safe;

	if (api_call->redact_value)
		failure_redact(failure, api_call->redact_value, api_call->redact_length);
	notices_take(&api_call->catalog->notices, api_call, failed && is_change ? failure : NULL);
	if (api_call->redact_value)
		sodium_stackzero(PARSER_STACK);
}

/* Passes the entries of a response on to the owner of the call, but for recently deleted ones. */
static int filter_entry(void *context, const struct entry *entry)
{
	const struct api_call *api_call = context;
	const struct catalog *catalog = api_call->catalog;

	if (!api_call->on_entry ||
	    (entry->id &&
	     deleted_ids_contains(&catalog->cache.deleted_ids, entry->id, loop_now(catalog->loop))))
		return 0;
	return api_call->on_entry(api_call->context, entry);
}

/* Notes the time by the service's clock. Ignores dates before 1970 and after DATE_LAST, with which
 * sums could overflow. */
static void note_date(struct api_call *api_call, const char *text)
{
	wall_time_ns date;

	api_call->response_date = TIME_UNKNOWN;
	if (!text || time_parse_http(text, &date) || date < 0 || date > DATE_LAST)
		return;
	api_call->response_date = date;
	api_call->catalog->cache.last_date = date;
	api_call->catalog->cache.last_date_at = loop_now(api_call->catalog->loop);
	net_set_service_time(api_call->catalog->net, date);
}

static enum response_class on_response(struct http_call *call, const struct http_response *response)
{
	struct api_call *api_call = container_of(call, struct api_call, http);
	const struct provider *provider = api_call->catalog->options.provider;
	const char *date = http_response_header(response, "Date");
	const char *etag = http_response_header(response, "ETag");
	int failed;

	static const enum response_class classes[] = {[RETRY_NEVER] = RESPONSE_REJECTED,
						      [RETRY_LATER] = RESPONSE_RETRY,
						      [RETRY_AFTER_CHECK] = RESPONSE_INDETERMINATE};

	note_date(api_call, date);
	apply_rate_limit(api_call, response);
	op_result_free(&api_call->result);
	api_call->result =
		(struct op_result){.on_entry = filter_entry, .context = api_call, .total = -1};
	api_call->retry_hint = RETRY_NEVER;
	call->failure = (struct failure){0};
	if (response->status == 304 && api_call->etag) {
		api_call->result.not_modified = true;
		api_call->catalog->counts.not_modified++;
		return RESPONSE_OK;
	}
	if (etag)
		buffer_puts(&api_call->result.etag, etag);
	failed = provider->parse_response(provider, &api_call->args, response, &api_call->result,
					  &call->failure, &api_call->retry_hint);
	take_words(api_call, failed);
	/* The service may have stored a 5xx under the key, and would repeat it
	 * (doc/semantics.md, rule 13). */
	if (failed && response->status >= 500)
		renew_idempotency_key(api_call);
	return failed ? classes[api_call->retry_hint] : RESPONSE_OK;
}

/* Notes a failure for calls of the same kind. A change that succeeded may have removed the cause of
 * the failures noted for its store. */
static void note_outcome(struct api_call *api_call)
{
	struct recent_failures *failures = &api_call->catalog->recent_failures;

	if (api_call->cache_failure)
		recent_failures_note(failures, &api_call->args, &api_call->failure,
				     loop_now(api_call->catalog->loop));
	if (!api_call->failure.errnum && !api_operations[api_call->args.operation].safe)
		recent_failures_forget(failures, api_call->args.store_id);
}

static bool is_failed(const struct api_call *api_call)
{
	int error = api_call->failure.errnum;

	return error &&
	       !(error == ENOENT && api_operations[api_call->args.operation].answers_absence);
}

/* A timer that always ran would make every poll(2) of the loop dearer. */
static void watch_recovery(struct catalog *catalog)
{
	uint64_t pause =
		RECOVERY_PAUSE_MIN + randombytes_uniform(RECOVERY_PAUSE_MAX - RECOVERY_PAUSE_MIN);

	/* Without memory the next call starts it. */
	if (net_is_failing(catalog->net) && !catalog->recovery_timer.position)
		timer_start(catalog->loop, &catalog->recovery_timer,
			    loop_now(catalog->loop) + pause);
}

static void on_done(struct http_call *call)
{
	struct api_call *api_call = container_of(call, struct api_call, http);
	struct catalog_counts *counts = &api_call->catalog->counts;

	api_call->failure = call->failure;
	note_outcome(api_call);
	histogram_add(&counts->durations[api_call->args.operation],
		      loop_now(api_call->catalog->loop) - api_call->started_at);
	counts->failed[api_call->args.operation] += is_failed(api_call);
	if (!api_call->failure.errnum && api_call->result.deleted_async && api_call->args.id)
		deleted_ids_add(&api_call->catalog->cache.deleted_ids, api_call->args.id,
				loop_now(api_call->catalog->loop));
	quota_apply(&api_call->catalog->quota, &api_call->args, &api_call->failure);
	watch_recovery(api_call->catalog);
	api_call->done(api_call);
}

/* The same call failed a moment ago: none is sent, and none counted. */
static void on_cached_failure(struct task *task)
{
	struct api_call *api_call = container_of(task, struct api_call, task);

	api_call->failure = api_call->http.failure;
	api_call->done(api_call);
}

/* The request could not be made: reported from the loop, as all other failures are. */
static void on_not_sent(struct task *task)
{
	struct api_call *api_call = container_of(task, struct api_call, task);

	http_request_free(&api_call->http.request);
	on_done(&api_call->http);
}

/* Fills in what the operation and the mount's options say. */
static void prepare(struct catalog *catalog, struct api_call *api_call, uint64_t deadline)
{
	const struct operation_info *info = &api_operations[api_call->args.operation];

	api_call->http = (struct http_call){.deadline = deadline,
					    .on_response = on_response,
					    .done = on_done,
					    .upload = info->upload,
					    .safe = info->safe,
					    .idempotent = is_idempotent(&api_call->args),
					    .no_retry = api_call->once,
					    .request.body.pool = api_call->pool};
	api_call->catalog = catalog;
	api_call->started_at = loop_now(catalog->loop);
	api_call->response_date = TIME_UNKNOWN;
	api_call->args.account = catalog->options.account;
	api_call->args.context = catalog->options.context;
	api_call->args.api_version = catalog->options.api_version;
	api_call->task = (struct task){.run = on_not_sent};
}

static int build_request(struct api_call *api_call)
{
	const struct provider *provider = api_call->catalog->options.provider;
	struct http_request *request = &api_call->http.request;
	enum operation operation = api_call->args.operation;
	int failed;

	if (provider->has_idempotency_keys) {
		make_idempotency_key(api_call);
		api_call->args.idempotency_key = api_call->idempotency_key;
	}
	if (!provider_has(provider, operation))
		return -EOPNOTSUPP;
	failed = provider->build_request(provider, &api_call->args, request);
	if (!failed && api_call->etag)
		http_request_header(request, "If-None-Match", api_call->etag);
	return failed ? failed : buffer_error(&request->headers);
}

void api_call_start(struct catalog *catalog, struct api_call *api_call, uint64_t deadline)
{
	const struct failure *known = NULL;
	enum operation operation = api_call->args.operation;
	int failed;

	prepare(catalog, api_call, deadline);
	if (api_call->cache_failure)
		known = recent_failures_find(&catalog->recent_failures, &api_call->args,
					     loop_now(catalog->loop));
	if (known) {
		api_call->http.failure = *known;
		api_call->task.run = on_cached_failure;
		task_queue(catalog->loop, &api_call->task);
		return;
	}
	catalog->counts.calls[operation]++;
	failed = build_request(api_call);
	if (failed) {
		failure_set(&api_call->http.failure, -failed,
			    "the request for %s cannot be made: %s", api_operations[operation].name,
			    strerror(-failed));
		task_queue(catalog->loop, &api_call->task);
		return;
	}
	call_start(catalog->net, &api_call->http);
}

bool api_call_runs(const struct api_call *api_call)
{
	return task_is_queued(&api_call->task) || call_runs(&api_call->http);
}

void api_call_cancel(struct api_call *api_call)
{
	if (task_is_queued(&api_call->task)) {
		task_cancel(&api_call->task);
		http_request_free(&api_call->http.request);
	}
	call_cancel(&api_call->http);
	api_call_free(api_call);
}

void api_call_free(struct api_call *api_call)
{
	op_result_free(&api_call->result);
	buffer_finish(&api_call->cursor);
}

struct time_span api_call_span(const struct api_call *api_call)
{
	wall_time_ns date = api_call->failure.errnum ? TIME_UNKNOWN : api_call->response_date;
	uint64_t took = loop_now(api_call->catalog->loop) - api_call->http.sent_at;

	if (date == TIME_UNKNOWN)
		return (struct time_span){.to = TIME_UNKNOWN};
	return (struct time_span){.from = date - (wall_time_ns)(took / 1000 + 1) * NANOSECONDS,
				  .to = date + NANOSECONDS - 1};
}

void api_call_follow_cursor(struct api_call *api_call)
{
	buffer_finish(&api_call->cursor);
	api_call->cursor = api_call->result.cursor;
	api_call->args.cursor = buffer_cstr(&api_call->cursor);
	api_call->result.cursor = (struct buffer){0};
	op_result_free(&api_call->result);
}

int search_next_page(const struct catalog *catalog, struct api_call *api_call, enum paging paging,
		     struct failure *failure)
{
	const struct op_result *result = &api_call->result;
	bool more = paging == PAGING_NUMBERED ? result->entries > 0 : result->cursor.length > 0;

	if (more && paging == PAGING_CURSOR)
		api_call_follow_cursor(api_call);
	else
		op_result_free(&api_call->result);
	if (!more)
		return 0;
	if (loop_now(catalog->loop) >= api_call->http.deadline)
		return failure_set(failure, ETIMEDOUT, "the search did not end in time");
	if (++api_call->args.page > SEARCH_PAGES_MAX)
		return failure_set(failure, EIO, "the search does not end: %u pages came",
				   SEARCH_PAGES_MAX);
	return 1;
}
