/*
 * Puts one value at the service: waits for its place in the queue of the name, looks up what is
 * there if the service's verbs need it, waits for the key, uploads, and settles what a lost reply
 * left open. The steps stand in the order in which they happen.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/catalog.h"
#include "sstorefs/change.h"

static void start_lookup(struct put_op *put);
static void await_key(struct put_op *put);
static void on_retry_timer(struct timer *timer);
static void send(struct put_op *put);

static struct listing *listing_of(const struct put_op *put)
{
	return &put->store->secrets;
}

static struct catalog *catalog_of(const struct put_op *put)
{
	return put->store->catalog;
}

static const struct provider *provider_of(const struct put_op *put)
{
	return catalog_of(put)->options.provider;
}

/* Lets go of everything that was begun. */
static void op_release(struct put_op *put)
{
	struct catalog *catalog = catalog_of(put);

	wait_end(&put->wait);
	locked_wait_cancel(put->pool, &put->memory_wait);
	lookup_cancel(&put->lookup);
	api_call_cancel(&put->api_call);
	timer_stop(catalog->loop, &put->timer);
	timer_stop(catalog->loop, &put->retry_timer);
	name_queue_leave(&put->ticket);
	put->last_response = (struct failure){
		0}; /* a service may have quoted the value, and this was never censored */
}

/* What was sealed is kept for a rename; it is of no use if it was not stored. */
static void keep_sealed(struct put_op *put)
{
	struct catalog *catalog = catalog_of(put);
	struct entry_text text;
	struct entry entry;

	if (!put->sealed)
		return;
	if (put->failure.errnum || !put->record) {
		free(put->sealed);
	} else {
		record_entry(put->record, &entry, &text);
		sealed_cache_put(&catalog->sealed_cache, put->store, put->name, entry.digest,
				 &put->sealed_under, put->sealed,
				 put->length + crypto_box_SEALBYTES, loop_now(catalog->loop));
	}
	put->sealed = NULL;
}

static void op_finish(struct put_op *put)
{
	struct failure *failure = &put->failure;

	/* A lost attempt that nothing has settled: the last word of later attempts says nothing
	 * about it (DESIGN 3, rule 13). */
	if (failure->errnum && put->indeterminate) {
		if (failure->errnum != ETIMEDOUT)
			failure->errnum = EIO;
		put->unknown = true;
		listing_invalidate(listing_of(put), put->name, put->entry_id);
	}
	/* What we believed was wrong. */
	if (failure->errnum == ENOENT || failure->errnum == EEXIST)
		listing_invalidate(listing_of(put), put->name, put->entry_id);
	if (failure->errnum == ENOENT && (put->mode != PUT_REPLACE || failure->store_is_deleted))
		listing_invalidate(&catalog_of(put)->stores, put->store->name, 0);
	if (failure->errnum)
		failure_redact(failure, put->value, put->length);
	keep_sealed(put);
	op_release(put);
	put->done(put);
}

/* What the service said before the time was up explains more than that it was up. */
static void fail_in_time(struct put_op *put, const char *why)
{
	if (put->last_response.errnum)
		put->failure = put->last_response;
	else
		failure_set(&put->failure, ETIMEDOUT, "%s", why);
}

static void timed_out(struct timer *timer)
{
	struct put_op *put = container_of(timer, struct put_op, timer);

	/*
	 * Covers the waits before the HTTP call (queue, key, memory). The call itself enforces the
	 * same deadline and reports more precisely, hence the slack.
	 */
	if (put->api_call.http.times_sent)
		put->indeterminate = true;
	if (put->memory_wait.link)
		failure_set(
			&put->failure, ENOBUFS,
			"no locked memory is left to send the value: raise RLIMIT_MEMLOCK or write fewer at once");
	else
		fail_in_time(put, "the service did not answer in time");
	op_finish(put);
}

static enum cache_result query(struct put_op *put, const struct record **record)
{
	return listing_query(listing_of(put), put->name, record);
}

static void on_queue_head(struct name_ticket *ticket)
{
	struct put_op *put = container_of(ticket, struct put_op, ticket);
	const struct provider *provider = provider_of(put);
	const struct record *record = NULL;
	enum cache_result cached = query(put, &record);
	/* An outcome that is unknown is settled before anything else of the name is sent (DESIGN 3,
	 * rule 13). */
	bool must_look_up = listing_is_invalid(listing_of(put), put->name);

	put->created = cached != CACHE_HIT;
	if (put->mode == PUT_CREATE)
		must_look_up |= !provider->has_create;
	else if (put->mode == PUT_REPLACE)
		must_look_up |=
			!provider->has_replace || (provider->writes_by_id && cached != CACHE_HIT);
	/* A replacement must say the expiry again that the old value has. */
	if (provider->has_expiry && cached == CACHE_MISS && !put->expiry_is_set)
		must_look_up = true;
	if (must_look_up)
		start_lookup(put);
	else
		await_key(put);
}

void put_start(struct put_op *put)
{
	struct catalog *catalog = catalog_of(put);

	put->failure = (struct failure){0};
	put->timer = (struct timer){.expired = timed_out};
	put->retry_timer = (struct timer){.expired = on_retry_timer};
	put->last_response = (struct failure){0};
	put->retries = 0;
	put->ticket = (struct name_ticket){.begin = on_queue_head};
	/* A little later than the call's own deadline, which knows more about what happened. */
	if (timer_start(catalog->loop, &put->timer, put->deadline + 50) ||
	    (!put->is_queue_head && name_queue_join(listing_of(put), put->name, &put->ticket))) {
		failure_set(&put->failure, ENOMEM, "out of memory");
		op_finish(put);
	} else if (put->is_queue_head) {
		on_queue_head(&put->ticket);
	}
}

bool put_is_queued(const struct put_op *put)
{
	return name_queue_is_waiting(&put->ticket);
}

void put_cancel(struct put_op *put)
{
	if (put->indeterminate || put->api_call.http.times_sent) {
		put->unknown = true;
		listing_invalidate(listing_of(put), put->name, put->entry_id);
	}
	free(put->sealed);
	put->sealed = NULL;
	op_release(put);
}

/* --- the look: what does the service have under this name?
 * ------------------------------------------------------------------ */

/* A new entry that was made after our lost create left: ours, if there was none before. */
static bool is_ours(const struct put_op *put, const struct record *record)
{
	struct entry_text text;
	struct entry entry;

	record_entry(record, &entry, &text);
	return catalog_is_since(catalog_of(put), entry.created_at, put->first_sent_at);
}

static void on_retry_timer(struct timer *timer)
{
	await_key(container_of(timer, struct put_op, retry_timer));
}

/* It was lost and has done nothing. The service is not well: it is not asked again at once. */
static void try_later(struct put_op *put)
{
	struct loop *loop = catalog_of(put)->loop;
	uint64_t at = loop_now(loop) + net_backoff(put->retries++);

	if (at < put->deadline && timer_start(loop, &put->retry_timer, at) == 0)
		return;
	fail_in_time(put, "the service did not answer in time");
	op_finish(put);
}

static void on_lookup(struct lookup *lookup)
{
	struct put_op *put = container_of(lookup, struct put_op, lookup);
	bool present = !lookup->failure.errnum, was_indeterminate = put->indeterminate;

	put->lookups++;
	if (!present && lookup->failure.errnum != ENOENT) {
		put->failure = lookup->failure;
		if (lookup->failure.errnum == ETIMEDOUT && put->last_response.errnum)
			put->failure = put->last_response;
		op_finish(put);
	} else if (put->mode == PUT_CREATE && present) {
		if (put->indeterminate && put->created && is_ours(put, lookup->record)) {
			put->indeterminate = false;
			put->record = lookup->record;
		} else {
			put->indeterminate = false;
			failure_set(&put->failure, EEXIST,
				    "there is a secret of this name already");
		}
		op_finish(put);
	} else if (put->mode == PUT_REPLACE && !present) {
		put->indeterminate = false;
		failure_set(&put->failure, ENOENT, "there is no secret of this name");
		op_finish(put);
	} else {
		/* An attempt that did not take effect may be made again; one that will be replaced
		 * does not matter any more. */
		put->indeterminate = put->indeterminate && present;
		if (was_indeterminate && !present)
			try_later(put);
		else
			await_key(put);
	}
}

static void start_lookup(struct put_op *put)
{
	/* If it is ours, it has the number that the kernel knows it by. */
	if (put->indeterminate)
		listing_invalidate(listing_of(put), put->name, put->entry_id);
	put->lookup =
		(struct lookup){.deadline = put->deadline, .bypass_cache = true, .done = on_lookup};
	strcpy(put->lookup.name, put->name);
	lookup_start(listing_of(put), &put->lookup);
}

/* --- the key
 * ----------------------------------------------------------------------------------------------------------------
 */

static void on_key(struct wait *wait)
{
	struct put_op *put = container_of(wait, struct put_op, wait);
	struct client_keys *keys = &catalog_of(put)->keys;

	if (keys->failure.errnum) {
		put->failure = keys->failure;
		op_finish(put);
		return;
	}
	put->waited_for_key = true;
	await_key(put);
}

static bool has_key(struct put_op *put)
{
	struct client_keys *keys = &catalog_of(put)->keys;

	if (put->exclusive_key)
		return client_keys_get_exclusive(keys, &put->failure) != NULL;
	if (!client_keys_get(keys, &put->failure))
		return false;
	put->fresh_key = client_keys_mark_used(keys) && put->waited_for_key;
	return true;
}

static void await_key(struct put_op *put)
{
	struct client_keys *keys = &catalog_of(put)->keys;

	if (!provider_of(put)->seals || has_key(put)) {
		send(put);
	} else if (put->failure.errnum) {
		op_finish(put);
	} else {
		put->wait.woken = on_key;
		wait_begin(&keys->waits, &put->wait);
	}
}

/* --- the upload
 * -------------------------------------------------------------------------------------------------------------
 */

static int on_entry(void *context, const struct entry *entry)
{
	struct put_op *put = context;
	struct entry named = *entry;

	/* Without a version it can't be told from the old one: better none than that
	 * (listing_invalidate). */
	if (!entry->digest && entry->modified_at == TIME_UNKNOWN)
		return 0;
	/* The name is ours to know: what counts is that the service has it now. */
	named.name = put->name;
	put->got_entry = listing_local_put(listing_of(put), &named, put->entry_id) != NULL;
	return 0;
}

/* Whether the key was fetched for this very value, and nothing else can have used it up. */
static bool had_exclusive_key(const struct put_op *put)
{
	const struct client_keys *keys = &catalog_of(put)->keys;

	return put->exclusive_key ||
	       (put->fresh_key && client_keys_used_once(keys, &put->sealed_under));
}

/* So often other clients may be first with the same name, in turn, before we give it up to them. */
#define LOOKUPS_MAX 3

/* What a refusal says about the way we asked, and what can be done about it once. */
static bool retry_differently(struct put_op *put)
{
	const struct provider *provider = provider_of(put);
	int error = put->api_call.failure.errnum;

	if (provider->seals && put->api_call.failure.http_status == 400 && error == EINVAL &&
	    !had_exclusive_key(put)) {
		/* Perhaps it is the key that is too old, or good for one value only, and not the
		 * value that is wrong. */
		client_keys_reject(&catalog_of(put)->keys, &put->sealed_under);
		put->exclusive_key = true;
		await_key(put);
		return true;
	}
	if (provider->writes_by_id && put->lookups < LOOKUPS_MAX && put->mode != PUT_CREATE &&
	    (error == EEXIST || (error == ENOENT && !put->api_call.failure.store_is_deleted))) {
		/* Somebody else created or deleted it meanwhile: look which, and go by that. */
		start_lookup(put);
		return true;
	}
	return false;
}

static void on_memory(struct locked_wait *wait)
{
	await_key(container_of(wait, struct put_op, memory_wait));
}

/* The request's body holds the value once more, escaped: others' must go before there is room for
 * it. */
static void await_memory(struct put_op *put)
{
	put->memory_wait.available = on_memory;
	locked_wait(put->pool, &put->memory_wait);
}

static void on_response(struct api_call *api_call)
{
	struct put_op *put = container_of(api_call, struct put_op, api_call);
	struct failure failure = api_call->failure;

	if (!put->first_sent_at)
		put->first_sent_at = api_call->http.sent_at;
	api_call_free(api_call);
	if (!failure.errnum) {
		put->indeterminate = false;
		put->failure = failure;
		/* Not what take_entry saw: a walk may have ended since, and its records with it. */
		if (put->got_entry)
			query(put, &put->record);
		else
			listing_invalidate(listing_of(put), put->name, put->entry_id);
		op_finish(put);
		return;
	}
	if (api_call->http.indeterminate) {
		put->indeterminate = true;
		put->last_response = failure;
		if (!api_call->http.idempotent &&
		    loop_now(api_call->catalog->loop) < put->deadline) {
			start_lookup(put);
			return;
		}
	} else if (failure.errnum == ENOBUFS && !api_call->http.times_sent) {
		await_memory(put);
		return;
	} else if (retry_differently(put)) {
		return;
	}
	put->failure = failure;
	op_finish(put);
}

/* The verb that the service has for what is wanted, by what is known of the name. */
static enum put_mode verb(const struct put_op *put)
{
	const struct provider *provider = provider_of(put);

	if (provider->writes_by_id)
		return put->id[0] && put->mode != PUT_CREATE ? PUT_REPLACE : PUT_CREATE;
	if (put->mode == PUT_CREATE && !provider->has_create)
		return PUT_UPSERT;
	if (put->mode == PUT_REPLACE && !provider->has_replace)
		return PUT_UPSERT;
	return put->mode;
}

/* What was asked for, else what the secret has that is replaced (it would be lost otherwise), else
 * what new ones get. */
static wall_time_ns expiry_of(const struct put_op *put, const struct record *record)
{
	const struct catalog *catalog = catalog_of(put);
	struct entry_text text;
	struct entry entry;

	if (put->expiry_is_set)
		return put->expires_at;
	if (record) {
		record_entry(record, &entry, &text);
		return entry.expires_at;
	}
	if (!catalog->options.expires)
		return TIME_UNKNOWN;
	return catalog_time(catalog) + (wall_time_ns)catalog->options.expires * NANOSECONDS;
}

/* What a secret has beside its value. */
static void set_attributes(const struct put_op *put, const struct record *record,
			   struct op_args *args)
{
	const struct catalog_options *options = &catalog_of(put)->options;
	bool is_new = !record || args->mode == PUT_CREATE;

	args->scopes = put->scopes || !is_new ? put->scopes : options->scopes;
	args->comment = put->comment || !is_new ? put->comment : options->comment;
	args->expires_at = options->provider->has_expiry ? expiry_of(put, record) : TIME_UNKNOWN;
}

static void send(struct put_op *put)
{
	struct catalog *catalog = catalog_of(put);
	const struct provider *provider = provider_of(put);
	struct api_call *api_call = &put->api_call;
	const struct client_key *key = &catalog->keys.key;
	const struct record *record = NULL;

	query(put, &record);
	put->id[0] = '\0';
	if (record && record_id(record) && strlen(record_id(record)) < sizeof put->id)
		strcpy(put->id, record_id(record));
	if (put->mode == PUT_REPLACE && provider->writes_by_id && !put->id[0]) {
		failure_set(&put->failure, EINVAL,
			    "the service told no id of this secret, and takes changes only by id");
		op_finish(put);
		return;
	}
	*api_call = (struct api_call){.done = on_response};
	api_call->result.on_entry = on_entry;
	api_call->result.context = put;
	api_call->args = (struct op_args){
		.operation = OPERATION_PUT_SECRET,
		.store_id = put->store->id,
		.name = put->name,
		.id = put->id[0] ? put->id : NULL,
		.mode = verb(put),
		.value = put->value,
		.value_length = put->length,
	};
	api_call->redact_value = put->value;
	api_call->redact_length = put->length;
	set_attributes(put, record, &api_call->args);
	if (provider->seals) {
		free(put->sealed);
		put->sealed = malloc(put->length + crypto_box_SEALBYTES);
		if (!put->sealed) {
			failure_set(&put->failure, ENOMEM, "out of memory");
			op_finish(put);
			return;
		}
		put->sealed_under = *key;
		client_key_seal(key, put->value, put->length, put->sealed);
		catalog->counts.sealed_bytes += put->length;
		api_call->args.value = put->sealed;
		api_call->args.value_length = put->length + crypto_box_SEALBYTES;
		api_call->args.client_key = key->public_key;
	} else {
		api_call->pool = put->pool;
	}
	api_call_start(catalog, api_call, put->deadline);
	/* The request is written: what it was written from is not needed for the answer. */
	api_call->args.value = NULL;
	api_call->args.client_key = NULL;
}
