/* Fetches client keys ahead of need, and selects the one to seal under. */
#include "client_keys.h"

#include <errno.h>
#include <string.h>

#include "catalog.h"
#include "sstorefs/change.h"
#include "sstorefs/log.h"

/* Milliseconds that a key must be valid for at least to be used: the upload takes time. */
#define MARGIN 5000
/* Milliseconds until a key is fetched again after a failed fetch or a rejected key. */
#define PAUSE_AFTER_REJECTION 60000
/* A new key is fetched when the last quarter of the old one's lifetime begins. */
#define AHEAD_DIVISOR 4

static void on_client_key(struct api_call *api_call);
static void on_signing_key(struct api_call *api_call);

void client_keys_init(struct client_keys *keys, struct catalog *catalog, const char *store_id)
{
	*keys = (struct client_keys){.catalog = catalog, .store_id = store_id};
}

struct client_keys *client_keys_of(const struct store *store)
{
	return store->keys ? store->keys : &store->catalog->keys;
}

void client_keys_finish(struct client_keys *keys)
{
	api_call_cancel(&keys->api_call);
	api_call_cancel(&keys->signing);
}

static uint64_t now(const struct client_keys *keys)
{
	return loop_now(keys->catalog->loop);
}

static void start_call(struct client_keys *keys, struct api_call *api_call,
		       enum operation operation, void (*done)(struct api_call *api_call))
{
	*api_call = (struct api_call){
		.args.operation = operation, .args.store_id = keys->store_id, .done = done};
	api_call_start(keys->catalog, api_call, now(keys) + keys->catalog->options.timeout);
}

static void fetch(struct client_keys *keys)
{
	if (keys->fetching)
		return;
	keys->fetching = true;
	keys->failure = (struct failure){0};
	keys->fetching_signing =
		!keys->store_id && !keys->catalog->options.signing_key && !keys->has_signing;
	if (keys->fetching_signing)
		start_call(keys, &keys->signing, OPERATION_SIGNING_KEY, on_signing_key);
	start_call(keys, &keys->api_call, OPERATION_CLIENT_KEY, on_client_key);
}

static void attempt_end(struct client_keys *keys, const struct failure *failure)
{
	void (*attempted)(struct client_keys * keys) = keys->attempted;

	keys->failure = *failure;
	keys->attempted = NULL;
	if (attempted)
		attempted(keys);
}

static void on_retry(struct http_call *call)
{
	attempt_end(container_of(call, struct client_keys, api_call.http), &call->failure);
}

void client_keys_prefetch(struct client_keys *keys, void (*attempted)(struct client_keys *keys))
{
	keys->attempted = attempted;
	fetch(keys);
	keys->api_call.http.on_retry = on_retry;
}

static void fetch_end(struct client_keys *keys, const struct failure *failure)
{
	keys->fetching = false;
	keys->failed_at = failure->errnum ? now(keys) : 0;
	if (failure->errnum == EKEYREJECTED) {
		keys->has_signing = false;
		if (!keys->attempted)
			log_line(LOG_ERR, "no secret is sealed: %s", failure->message);
	}
	attempt_end(keys, failure);
	wait_wake_all(&keys->waits);
}

static void accept_key(struct client_keys *keys, struct failure *failure)
{
	const struct client_key_response *sent = &keys->api_call.result.client_key;
	uint64_t sent_at = keys->api_call.http.sent_at;
	const char *why = "";
	int failed = keys->store_id
			     ? client_key_accept(&keys->key, sent, sent_at, &why)
			     : client_key_verify(
				       &keys->key, sent, keys->catalog->options.signing_key,
				       keys->has_signing ? keys->signing_key : NULL, sent_at, &why);

	if (failed) {
		failure_set(failure, EKEYREJECTED,
			    "the client key that the service sent is not to be trusted: %s", why);
		failure->bad_signature = failed == -EKEYREJECTED;
		return;
	}
	keys->fetched_at = now(keys);
	keys->uses = 0;
}

/* Client key and signing key are fetched in parallel; continues when both have arrived. */
static void on_client_key(struct api_call *api_call)
{
	struct client_keys *keys = container_of(api_call, struct client_keys, api_call);
	struct failure failure = api_call->failure;

	if (!failure.errnum && keys->fetching_signing)
		return; /* on_signing_key continues from here */
	if (keys->fetching_signing) {
		api_call_cancel(&keys->signing);
		keys->fetching_signing = false;
	}
	if (!failure.errnum)
		accept_key(keys, &failure);
	api_call_free(api_call);
	fetch_end(keys, &failure);
}

static void on_signing_key(struct api_call *api_call)
{
	struct client_keys *keys = container_of(api_call, struct client_keys, signing);
	struct failure failure = api_call->failure;

	keys->fetching_signing = false;
	if (!failure.errnum) {
		memcpy(keys->signing_key, api_call->result.signing_key, sizeof keys->signing_key);
		keys->has_signing = true;
	}
	api_call_free(api_call);
	if (failure.errnum) {
		api_call_cancel(&keys->api_call);
		fetch_end(keys, &failure);
	} else if (!api_call_runs(&keys->api_call)) {
		on_client_key(&keys->api_call);
	}
}

static bool is_near_its_end(const struct client_keys *keys)
{
	uint64_t life = keys->key.expires_at - keys->fetched_at;

	return now(keys) + life / AHEAD_DIVISOR >= keys->key.expires_at;
}

static bool must_pause(const struct client_keys *keys)
{
	return keys->failure.errnum == EKEYREJECTED &&
	       now(keys) - keys->failed_at < PAUSE_AFTER_REJECTION;
}

static bool is_usable(const struct client_keys *keys)
{
	const struct client_key *key = &keys->key;

	if (!key->expires_at)
		return false;
	/* A key whose lifetime is not much more than the margin is used to its end: the service
	 * rejects it if it is too old. */
	return now(keys) + MARGIN < key->expires_at ||
	       (key->expires_at - keys->fetched_at <= MARGIN * 2 && now(keys) < key->expires_at);
}

/* Fetches a key, or sets `failure` if it is too early for that. */
static void fetch_or_fail(struct client_keys *keys, struct failure *failure)
{
	if (must_pause(keys))
		*failure = keys->failure;
	else
		fetch(keys);
}

const struct client_key *client_keys_get(struct client_keys *keys, struct failure *failure)
{
	bool paused = keys->failed_at && now(keys) - keys->failed_at < PAUSE_AFTER_REJECTION;

	if (!is_usable(keys) || keys->uses == CLIENT_KEY_EXCLUSIVE) {
		fetch_or_fail(keys, failure);
		return NULL;
	}
	if (is_near_its_end(keys) && !paused)
		fetch(keys);
	return &keys->key;
}

const struct client_key *client_keys_get_exclusive(struct client_keys *keys,
						   struct failure *failure)
{
	if (!is_usable(keys) || keys->uses) {
		fetch_or_fail(keys, failure);
		return NULL;
	}
	keys->uses = CLIENT_KEY_EXCLUSIVE;
	return &keys->key;
}

bool client_keys_mark_used(struct client_keys *keys)
{
	return keys->uses++ == 0;
}

static bool is_current(const struct client_keys *keys, const struct client_key *key)
{
	return memcmp(keys->key.public_key, key->public_key, sizeof key->public_key) == 0;
}

bool client_keys_used_once(const struct client_keys *keys, const struct client_key *key)
{
	return is_current(keys, key) && keys->uses == 1;
}

const struct failure *catalog_key_failure(const struct store *store)
{
	const struct client_keys *keys = client_keys_of(store);
	bool alive = now(keys) < keys->key.expires_at;

	return !alive && must_pause(keys) ? &keys->failure : NULL;
}

void client_keys_reject(struct client_keys *keys, const struct client_key *key)
{
	if (is_current(keys, key))
		keys->key.expires_at = 0;
}

void catalog_prepare_write(struct store *store, const char *name)
{
	struct failure ignored;

	listing_expect_change(&store->secrets, name);
	if (store->catalog->options.provider->seals)
		client_keys_get(client_keys_of(store), &ignored);
}

uint64_t catalog_key_expires_at(const struct catalog *catalog)
{
	uint64_t last = catalog->keys.key.expires_at;
	const struct store *store;

	LIST_FOREACH (store, &catalog->open_stores, link)
		if (store->keys && store->keys->key.expires_at > last)
			last = store->keys->key.expires_at;
	return last;
}
