/* Fetches client keys ahead of need, and says which one to seal under. */
#include "client_keys.h"

#include <errno.h>
#include <string.h>

#include "catalog.h"
#include "sstorefs/change.h"
#include "sstorefs/log.h"

#define MARGIN                                                                                     \
	5000 /* milliseconds a key must still live to be used: the upload takes time, too          \
	      */
#define PAUSE_AFTER_REJECTION                                                                      \
	60000 /* milliseconds until a key is fetched again after one that was not good */
#define AHEAD_DIVISOR                                                                              \
	4 /* a new key is fetched when the last quarter of the old one's life begins */

static void on_client_key(struct api_call *api_call);
static void on_signing_key(struct api_call *api_call);

void client_keys_init(struct client_keys *keys, struct catalog *catalog)
{
	*keys = (struct client_keys){.catalog = catalog};
}

void client_keys_finish(struct client_keys *keys)
{
	if (keys->fetching)
		api_call_cancel(&keys->api_call);
	if (keys->fetching_signing)
		api_call_cancel(&keys->signing);
}

static uint64_t now(const struct client_keys *keys)
{
	return loop_now(keys->catalog->loop);
}

static bool trusts_api(const struct client_keys *keys)
{
	return !keys->catalog->options.signing_key;
}

static void fetch_client_key(struct client_keys *keys)
{
	keys->api_call = (struct api_call){.done = on_client_key};
	keys->api_call.args.operation = OPERATION_CLIENT_KEY;
	api_call_start(keys->catalog, &keys->api_call, now(keys) + keys->catalog->options.timeout);
}

static void fetch(struct client_keys *keys)
{
	if (keys->fetching)
		return;
	keys->fetching = true;
	keys->failure = (struct failure){0};
	if (trusts_api(keys) && !keys->has_signing) {
		keys->fetching_signing = true;
		keys->signing = (struct api_call){.done = on_signing_key};
		keys->signing.args.operation = OPERATION_SIGNING_KEY;
		api_call_start(keys->catalog, &keys->signing,
			       now(keys) + keys->catalog->options.timeout);
	}
	fetch_client_key(keys);
}

static void fetch_end(struct client_keys *keys, const struct failure *failure)
{
	keys->fetching = false;
	keys->failure = *failure;
	keys->failed_at = failure->errnum ? now(keys) : 0;
	if (failure->errnum == EKEYREJECTED) {
		keys->has_signing = false;
		log_line(LOG_ERR, "no secret is sealed: %s", failure->message);
	}
	wait_wake_all(&keys->waits);
}

static void accept_key(struct client_keys *keys, struct failure *failure)
{
	const char *why = "";

	if (client_key_verify(&keys->key, &keys->api_call.result.client_key,
			      keys->catalog->options.signing_key,
			      keys->has_signing ? keys->signing_key : NULL,
			      keys->api_call.http.sent_at, &why)) {
		failure_set(failure, EKEYREJECTED,
			    "the client key that the service sent is not to be trusted: %s", why);
		return;
	}
	keys->fetched_at = now(keys);
	keys->is_used = keys->is_shared = keys->is_taken = false;
}

/* Client key and signing key are fetched in parallel; continues when both have arrived. */
static void on_client_key(struct api_call *api_call)
{
	struct client_keys *keys = container_of(api_call, struct client_keys, api_call);
	struct failure failure = api_call->failure;

	if (!failure.errnum && keys->fetching_signing)
		return; /* on_signing_key goes on from here */
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
	} else if (!call_runs(&keys->api_call.http)) {
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

static bool is_alive(const struct client_keys *keys)
{
	const struct client_key *key = &keys->key;

	if (!key->expires_at)
		return false;
	/* A key that lives no longer than the margin is used while it lives at all: the service
	 * will say if it is too old. */
	return now(keys) + MARGIN < key->expires_at ||
	       (key->expires_at - keys->fetched_at <= MARGIN * 2 && now(keys) < key->expires_at);
}

const struct client_key *client_keys_get(struct client_keys *keys, struct failure *failure)
{
	if (is_alive(keys) && !keys->is_taken) {
		bool paused =
			keys->failed_at && now(keys) - keys->failed_at < PAUSE_AFTER_REJECTION;

		if (is_near_its_end(keys) && !paused)
			fetch(keys);
		return &keys->key;
	}
	if (must_pause(keys)) {
		*failure = keys->failure;
		return NULL;
	}
	fetch(keys);
	return NULL;
}

const struct client_key *client_keys_get_exclusive(struct client_keys *keys,
						   struct failure *failure)
{
	if (is_alive(keys) && !keys->is_used) {
		keys->is_used = keys->is_taken = true;
		return &keys->key;
	}
	if (must_pause(keys))
		*failure = keys->failure;
	else
		fetch(keys);
	return NULL;
}

bool client_keys_mark_used(struct client_keys *keys)
{
	keys->is_shared = keys->is_used;
	keys->is_used = true;
	return !keys->is_shared;
}

static bool is_current(const struct client_keys *keys, const struct client_key *key)
{
	return memcmp(keys->key.public_key, key->public_key, sizeof key->public_key) == 0;
}

bool client_keys_used_once(const struct client_keys *keys, const struct client_key *key)
{
	return is_current(keys, key) && !keys->is_shared;
}

const struct failure *catalog_key_failure(const struct catalog *catalog)
{
	const struct client_keys *keys = &catalog->keys;
	bool alive = now(keys) < keys->key.expires_at;

	return !alive && must_pause(keys) ? &keys->failure : NULL;
}

void client_keys_reject(struct client_keys *keys, const struct client_key *key)
{
	if (is_current(keys, key))
		keys->key.expires_at = 0;
}

void catalog_prepare_write(struct catalog *catalog)
{
	struct failure ignored;

	if (catalog->options.provider->seals)
		client_keys_get(&catalog->keys, &ignored);
}

uint64_t catalog_key_expires_at(const struct catalog *catalog)
{
	return catalog->keys.key.expires_at;
}
