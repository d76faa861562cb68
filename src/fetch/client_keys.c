/*
 * Fetching client keys: when, how often, and what is done when it fails. What makes a key good is in the seal room.
 */
#include "client_keys.h"

#include <errno.h>
#include <string.h>

#include "catalog.h"
#include "sstorefs/change.h"
#include "sstorefs/log.h"

#define MARGIN		    5000 /* milliseconds a key must still live to be used: the upload takes time, too */
#define PAUSE_AFTER_REFUSAL 60000 /* milliseconds until a key is fetched again after one that was not good */
#define AHEAD_DIVISOR	    4 /* a new key is fetched when the last quarter of the old one's life begins */

static void fetched(struct inquiry *inquiry);
static void signing_fetched(struct inquiry *inquiry);

void client_keys_init(struct client_keys *keys, struct catalog *catalog)
{
	*keys = (struct client_keys){.catalog = catalog};
}

void client_keys_finish(struct client_keys *keys)
{
	if (keys->fetching)
		inquiry_cancel(&keys->inquiry);
	if (keys->asking_signing)
		inquiry_cancel(&keys->signing);
}

static uint64_t now(const struct client_keys *keys)
{
	return loop_now(keys->catalog->loop);
}

static bool trusts_api(const struct client_keys *keys)
{
	return !keys->catalog->options.signing_key;
}

static void ask_client_key(struct client_keys *keys)
{
	keys->inquiry = (struct inquiry){.done = fetched};
	keys->inquiry.ask.operation = OPERATION_CLIENT_KEY;
	inquiry_start(keys->catalog, &keys->inquiry, now(keys) + keys->catalog->options.timeout);
}

static void fetch(struct client_keys *keys)
{
	if (keys->fetching)
		return;
	keys->fetching = true;
	keys->failure = (struct failure){0};
	if (trusts_api(keys) && !keys->has_signing) {
		keys->asking_signing = true;
		keys->signing = (struct inquiry){.done = signing_fetched};
		keys->signing.ask.operation = OPERATION_SIGNING_KEY;
		inquiry_start(keys->catalog, &keys->signing, now(keys) + keys->catalog->options.timeout);
	}
	ask_client_key(keys);
}

static void fetch_ended(struct client_keys *keys, const struct failure *failure)
{
	keys->fetching = false;
	keys->failure = *failure;
	keys->failed_at = failure->error ? now(keys) : 0;
	if (failure->error == EKEYREJECTED) {
		keys->has_signing = false;
		log_line(LOG_ERR, "no secret is sealed: %s", failure->words);
	}
	wait_wake_all(&keys->waits);
}

static void accept_key(struct client_keys *keys, struct failure *failure)
{
	const char *why = "";

	if (client_key_accept(
		    &keys->key, &keys->inquiry.result.client_key, keys->catalog->options.signing_key,
		    keys->has_signing ? keys->signing_key : NULL, keys->inquiry.call.sent_at, &why)) {
		failure_set(failure, EKEYREJECTED,
			    "the client key that the service sent is not to be trusted: %s", why);
		return;
	}
	keys->fetched_at = now(keys);
	keys->is_used = keys->is_shared = keys->is_taken = false;
}

/* Both answers are needed, in whatever order they come. */
static void fetched(struct inquiry *inquiry)
{
	struct client_keys *keys = container_of(inquiry, struct client_keys, inquiry);
	struct failure failure = inquiry->failure;

	if (!failure.error && keys->asking_signing)
		return; /* signing_fetched goes on from here */
	if (keys->asking_signing) {
		inquiry_cancel(&keys->signing);
		keys->asking_signing = false;
	}
	if (!failure.error)
		accept_key(keys, &failure);
	inquiry_finish(inquiry);
	fetch_ended(keys, &failure);
}

static void signing_fetched(struct inquiry *inquiry)
{
	struct client_keys *keys = container_of(inquiry, struct client_keys, signing);
	struct failure failure = inquiry->failure;

	keys->asking_signing = false;
	if (!failure.error) {
		memcpy(keys->signing_key, inquiry->result.signing_key, sizeof keys->signing_key);
		keys->has_signing = true;
	}
	inquiry_finish(inquiry);
	if (failure.error) {
		inquiry_cancel(&keys->inquiry);
		fetch_ended(keys, &failure);
	} else if (!call_runs(&keys->inquiry.call)) {
		fetched(&keys->inquiry);
	}
}

static bool is_near_its_end(const struct client_keys *keys)
{
	uint64_t life = keys->key.dies_at - keys->fetched_at;

	return now(keys) + life / AHEAD_DIVISOR >= keys->key.dies_at;
}

static bool must_pause(const struct client_keys *keys)
{
	return keys->failure.error == EKEYREJECTED && now(keys) - keys->failed_at < PAUSE_AFTER_REFUSAL;
}

static bool is_alive(const struct client_keys *keys)
{
	const struct client_key *key = &keys->key;

	if (!key->dies_at)
		return false;
	/* A key that lives no longer than the margin is used while it lives at all: the service will say if it is too old. */
	return now(keys) + MARGIN < key->dies_at ||
	       (key->dies_at - keys->fetched_at <= MARGIN * 2 && now(keys) < key->dies_at);
}

const struct client_key *client_keys_current(struct client_keys *keys, struct failure *failure)
{
	if (is_alive(keys) && !keys->is_taken) {
		bool paused = keys->failed_at && now(keys) - keys->failed_at < PAUSE_AFTER_REFUSAL;

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

const struct client_key *client_keys_take(struct client_keys *keys, struct failure *failure)
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

bool client_keys_use(struct client_keys *keys)
{
	keys->is_shared = keys->is_used;
	keys->is_used = true;
	return !keys->is_shared;
}

static bool is_current(const struct client_keys *keys, const struct client_key *key)
{
	return memcmp(keys->key.public_key, key->public_key, sizeof key->public_key) == 0;
}

bool client_keys_is_for_one(const struct client_keys *keys, const struct client_key *key)
{
	return is_current(keys, key) && !keys->is_shared;
}

const struct failure *catalog_key_failure(const struct catalog *catalog)
{
	const struct client_keys *keys = &catalog->keys;
	bool alive = now(keys) < keys->key.dies_at;

	return !alive && must_pause(keys) ? &keys->failure : NULL;
}

void client_keys_refused(struct client_keys *keys, const struct client_key *key)
{
	if (is_current(keys, key))
		keys->key.dies_at = 0;
}

void catalog_expect_write(struct catalog *catalog)
{
	struct failure ignored;

	if (catalog->options.provider->seals)
		client_keys_current(&catalog->keys, &ignored);
}

uint64_t catalog_key_dies_at(const struct catalog *catalog)
{
	return catalog->keys.key.dies_at;
}
