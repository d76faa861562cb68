/*
 * Puts one value at the service: waits in the queue of the name, looks up what is there if the
 * service's verbs need it, waits for a client key, and uploads. The steps stand in the order in
 * which they happen.
 */
#include <errno.h>
#include <stdlib.h>

#include "lost_reply.h"
#include "put_request.h"

static void await_audience(struct put_op *put);
static void await_key(struct put_op *put);
static void send(struct put_op *put);

static struct put_op *put_of(struct change_op *op)
{
	return container_of(op, struct put_op, change);
}

/* The last attempt may have taken effect. */
static void note_unknown(struct put_op *put)
{
	struct change_op *op = &put->change;

	put->unknown = true;
	/* Where versions are told by whole seconds, what was sealed before may look like what is
	 * stored now: a rename would send the older value. */
	if (op_provider(op)->store_keys)
		sealed_cache_drop(&op_catalog(op)->sealed_cache, op->store, op->name);
}

static void conclude(struct change_op *op)
{
	struct put_op *put = put_of(op);
	struct failure *failure = &op->failure;

	if (failure->errnum && op->indeterminate)
		note_unknown(put);
	/* The cache was wrong about the secret, or about its store. */
	if (failure->errnum == ENOENT || failure->errnum == EEXIST)
		change_op_invalidate(op);
	if (failure->errnum == ENOENT && (put->mode != PUT_REPLACE || failure->store_is_deleted))
		listing_invalidate(&op_catalog(op)->stores, op->store->name, 0);
	/* A sealed value is as good as it was: its key is not accepted any more. */
	if (put->resends && failure->key_is_rejected && failure->errnum == EINVAL)
		failure->errnum = EOPNOTSUPP;
	if (failure->errnum && put->value)
		failure_redact(failure, put->value, put->length);
	put_keep_sealed(put);
}

static void release(struct change_op *op)
{
	struct put_op *put = put_of(op);

	wait_end(&put->wait);
	selection_finish(&put->selection);
	locked_wait_cancel(put->pool, &put->memory_wait);
	free(put->sealed);
	put->sealed = NULL;
	/* A service may have quoted the value, and this copy was never redacted. */
	put->last_response = (struct failure){0};
}

/* Fails at the deadline: an earlier response explains more than the deadline does. */
static void fail_at_deadline(struct put_op *put)
{
	if (put->last_response.errnum)
		change_op_fail_as(&put->change, &put->last_response);
	else
		change_op_fail(&put->change, ETIMEDOUT, "the service did not answer in time");
}

/* The deadline passed while the operation waited for the queue, a key or memory. */
static void time_out(struct change_op *op)
{
	struct put_op *put = put_of(op);

	if (put->memory_wait.queued.tqe_prev)
		change_op_fail(
			op, ENOBUFS,
			"no locked memory is left to send the value: raise RLIMIT_MEMLOCK or write fewer at once");
	else
		fail_at_deadline(put);
}

static void begin(struct change_op *op)
{
	struct put_op *put = put_of(op);
	const struct provider *provider = op_provider(op);
	const struct record *record = NULL;
	enum cache_result cached = listing_query_for_change(op->listing, op->name, &record);
	/* An indeterminate outcome is settled before the next request about the name is sent
	 * (doc/semantics.md, rule 13). */
	bool must_look_up = listing_is_invalid(op->listing, op->name);

	put->created = cached != CACHE_HIT;
	if (put->mode == PUT_CREATE)
		must_look_up |= !provider->has_create;
	else if (put->mode == PUT_REPLACE)
		must_look_up |=
			!provider->has_replace || (provider->writes_by_id && cached != CACHE_HIT);
	/* A replacement must repeat the expiry of the old value. */
	if (provider->has_expiry && cached == CACHE_MISS && !put->expiry_is_set)
		must_look_up = true;
	/* A replacement must repeat which repositories may use the secret, as it is now. */
	if (must_look_up || provider->visibilities)
		put_lookup(put);
	else
		await_audience(put);
}

static void retry(struct change_op *op)
{
	await_audience(put_of(op));
}

void put_start(struct put_op *put)
{
	static const struct change_steps steps = {.begin = begin,
						  .retry = retry,
						  .time_out = time_out,
						  .conclude = conclude,
						  .release = release};

	put->last_response = (struct failure){0};
	change_op_start(&put->change, put->change.name, &steps);
}

bool put_is_queued(const struct put_op *put)
{
	return name_queue_is_waiting(&put->change.ticket);
}

void put_cancel(struct put_op *put)
{
	if (put->change.indeterminate || change_op_was_sent(&put->change))
		note_unknown(put);
	change_op_cancel(&put->change);
}

/* The repositories that may use it */

static void on_selection(struct selection *selection)
{
	struct put_op *put = container_of(selection, struct put_op, selection);

	if (selection->failure.errnum) {
		change_op_fail_as(&put->change, &selection->failure);
		return;
	}
	await_key(put);
}

static void await_audience(struct put_op *put)
{
	struct change_op *op = &put->change;
	const struct record *record;
	struct entry_text text;
	struct entry entry = {0};

	if (!op_provider(op)->visibilities || put->has_audience) {
		await_key(put);
		return;
	}
	record = change_op_query(op);
	if (record)
		record_entry(record, &entry, &text);
	if (record && put->resends && !strcmp(put->resends, op->name))
		entry_version(&put->resent_version, &entry);
	put->has_audience = true;
	if (record && !entry.visibility && !put->visibility && !put->repositories) {
		change_op_fail(op, EIO, "the service did not say which repositories may use it");
		return;
	}
	if (!put_set_audience(put, &entry)) {
		await_key(put);
		return;
	}
	put->selection.store = op->store;
	put->selection.name = put->resends ? put->resends : op->name;
	put->selection.deadline = op->deadline;
	put->selection.done = on_selection;
	selection_start(&put->selection);
}

/* The client key */

static void on_key(struct wait *wait)
{
	struct put_op *put = container_of(wait, struct put_op, wait);
	struct client_keys *keys = client_keys_of(put->change.store);

	if (keys->failure.errnum) {
		change_op_fail_as(&put->change, &keys->failure);
		return;
	}
	put->waited_for_key = true;
	await_key(put);
}

static bool has_key(struct put_op *put)
{
	struct client_keys *keys = client_keys_of(put->change.store);
	struct failure *failure = &put->change.failure;

	if (put->exclusive_key && !op_provider(&put->change)->store_keys)
		return client_keys_get_exclusive(keys, failure) != NULL;
	if (!client_keys_get(keys, failure))
		return false;
	put->fresh_key = client_keys_mark_used(keys) && put->waited_for_key;
	return true;
}

static void await_key(struct put_op *put)
{
	if (!op_provider(&put->change)->seals || put->resends || has_key(put)) {
		send(put);
	} else if (put->change.failure.errnum) {
		change_op_finish(&put->change);
	} else {
		put->wait.woken = on_key;
		wait_begin(&client_keys_of(put->change.store)->waits, &put->wait);
	}
}

/* The upload */

static int on_entry(void *context, const struct entry *entry)
{
	struct put_op *put = put_of(context);
	struct entry named = *entry;

	/* An entry without a version looks like the old one: better none (see on_response). */
	if (!entry->digest && entry->modified_at == TIME_UNKNOWN)
		return 0;
	/* The response may leave out or spell the name differently; it is the one we sent. */
	named.name = put->change.name;
	put->got_entry =
		listing_local_put(put->change.listing, &named, put->change.entry_id) != NULL;
	return 0;
}

/* True if the key was fetched for this value, and no other value can have used it up. */
static bool had_exclusive_key(const struct put_op *put)
{
	const struct client_keys *keys = client_keys_of(put->change.store);

	return put->exclusive_key || (!op_provider(&put->change)->store_keys && put->fresh_key &&
				      client_keys_used_once(keys, &put->sealed_under));
}

/* The number of times that another client may create or delete the same name in turn before this
 * one gives up. */
#define LOOKUPS_MAX 3

/* Retries once in another way where the rejection allows for it. False: it is final. */
static bool retry_differently(struct put_op *put, const struct failure *failure)
{
	const struct provider *provider = op_provider(&put->change);

	if (failure->key_is_rejected && !put->resends && !had_exclusive_key(put)) {
		/* Perhaps the key is too old or good for one value only, and the value is not
		 * wrong. */
		client_keys_reject(client_keys_of(put->change.store), &put->sealed_under);
		put->exclusive_key = true;
		await_key(put);
		return true;
	}
	if (provider->writes_by_id && put->lookups < LOOKUPS_MAX && put->mode != PUT_CREATE &&
	    (failure->errnum == EEXIST ||
	     (failure->errnum == ENOENT && !failure->store_is_deleted))) {
		/* Another client created or deleted it meanwhile: look it up again. */
		put_lookup(put);
		return true;
	}
	return false;
}

static void on_memory(struct locked_wait *wait)
{
	await_key(container_of(wait, struct put_op, memory_wait));
}

/* Returns the effect of a success, which the verb tells, or the response; NULL: neither does. */
static const char *effect_of(const struct op_args *args, const struct op_result *result)
{
	if (args->mode == PUT_CREATE || result->created)
		return "created";
	return args->mode == PUT_REPLACE || result->replaced ? "replaced" : NULL;
}

/* Makes the next lookup of the secret go to the service, because the response did not describe it.
 * A new one is shown in directories until then. */
static void show_undescribed(struct put_op *put)
{
	struct change_op *op = &put->change;

	if (listing_peek_any(op->listing, op->name)) {
		/* A file that was renamed onto the name is what is found there. */
		if (op->entry_id)
			listing_assign_id(op->listing, op->name, op->entry_id);
	} else {
		listing_local_put(op->listing,
				  &(struct entry){.name = op->name,
						  .created_at = put->stored_in.to,
						  .modified_at = put->stored_in.to,
						  .expires_at = TIME_UNKNOWN,
						  .livemode = -1},
				  op->entry_id);
	}
	change_op_invalidate(op);
}

static void on_response(struct api_call *api_call)
{
	struct put_op *put = container_of(api_call, struct put_op, change.api_call);
	struct change_op *op = &put->change;
	const struct op_result *result = &api_call->result;
	struct failure failure = api_call->failure;

	if (!put->first_sent_at)
		put->first_sent_at = api_call->http.sent_at;
	put->stored_in = api_call_span(api_call);
	/* A lost attempt may have created what the next one replaced. */
	if (!failure.errnum && !op->indeterminate && !api_call->http.indeterminate)
		put->effect = effect_of(&api_call->args, result);
	api_call_free(api_call);
	if (!failure.errnum) {
		op->indeterminate = false;
		op->failure = failure; /* of which the status is kept */
		/* Looked up anew: a walk may have ended since on_entry, and freed the record. */
		if (put->got_entry)
			listing_query_for_change(op->listing, op->name, &put->record);
		else
			show_undescribed(put);
		change_op_finish(op);
		return;
	}
	if (api_call->http.indeterminate) {
		op->indeterminate = true;
		put->last_response = failure;
		if (!api_call->http.idempotent && loop_now(op_catalog(op)->loop) < op->deadline) {
			put_lookup(put);
			return;
		}
	} else if (failure.errnum == ENOBUFS && !api_call->http.times_sent) {
		/* The request's body holds the value once more, escaped: it waits until other
		 * values are sent. */
		put->memory_wait.available = on_memory;
		locked_wait(put->pool, &put->memory_wait);
		return;
	} else if (failure.errnum == EEXIST && put->last_response.errnum) {
		/* An attempt that was lost may have taken effect only now. */
		op->indeterminate = true;
		if (loop_now(op_catalog(op)->loop) < op->deadline) {
			put_lookup(put);
			return;
		}
	} else if (retry_differently(put, &failure)) {
		return;
	}
	change_op_fail_as(op, &failure);
}

static void send(struct put_op *put)
{
	struct change_op *op = &put->change;
	const struct provider *provider = op_provider(op);
	const struct record *record = change_op_query(op);
	struct op_args *args;
	int failed;

	if (put->mode == PUT_REPLACE && provider->writes_by_id && !op->id[0]) {
		change_op_fail(
			op, EINVAL,
			"the service told no id of this secret, and takes changes only by id");
		return;
	}
	args = change_op_prepare(op, OPERATION_PUT_SECRET, op->name, on_response);
	args->mode = put_verb(put);
	args->value = put->value;
	args->value_length = put->length;
	put_set_attributes(put, record, args);
	op->api_call.on_entry = on_entry;
	op->api_call.redact_value = put->value;
	op->api_call.redact_length = put->length;
	if (!provider->seals) {
		op->api_call.pool = put->pool;
	} else if ((failed = put_seal(put, args))) {
		change_op_fail(
			op, -failed,
			failed == -ENOMEM
				? "out of memory"
				: "the service takes this only with a value, and what was written here is no longer at hand: write it anew");
		return;
	}
	change_op_send(op);
	/* The request is written; parsing its response needs neither value nor key. */
	args->value = NULL;
	args->client_key = NULL;
}
