/*
 * A value's way to the service: its turn, the look at what is there where the service's verbs need one, the key, the upload, and settling what a lost answer left
 * open. The steps stand in the order in which they happen. When a value is published at all is the fs room's matter.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/catalog.h"
#include "sstorefs/change.h"

static void look(struct publication *publication);
static void need_key(struct publication *publication);
static void pause_over(struct timer *timer);
static void send(struct publication *publication);

static struct listing *listing_of(const struct publication *publication)
{
	return &publication->store->secrets;
}

static struct catalog *catalog_of(const struct publication *publication)
{
	return publication->store->catalog;
}

static const struct provider *provider_of(const struct publication *publication)
{
	return catalog_of(publication)->options.provider;
}

/* Lets go of everything that was begun. */
static void let_go(struct publication *publication)
{
	struct catalog *catalog = catalog_of(publication);

	wait_end(&publication->wait);
	locked_wait_cancel(publication->pool, &publication->room);
	lookup_cancel(&publication->look);
	inquiry_cancel(&publication->inquiry);
	timer_stop(catalog->loop, &publication->timer);
	timer_stop(catalog->loop, &publication->pause);
	turn_end(&publication->turn);
	publication->said =
		(struct failure){0}; /* a service may have quoted the value, and this was never censored */
}

/* What was sealed is kept for a rename; it is of no use if it was not stored. */
static void keep_box(struct publication *publication)
{
	struct catalog *catalog = catalog_of(publication);
	struct entry_text text;
	struct entry entry;

	if (!publication->sealed)
		return;
	if (publication->failure.error || !publication->record) {
		free(publication->sealed);
	} else {
		record_entry(publication->record, &entry, &text);
		boxes_keep(&catalog->boxes, publication->store, publication->name, entry.digest,
			   &publication->sealed_under, publication->sealed,
			   publication->length + crypto_box_SEALBYTES, loop_now(catalog->loop));
	}
	publication->sealed = NULL;
}

static void end(struct publication *publication)
{
	struct failure *failure = &publication->failure;

	/* A lost attempt that nothing has settled: the last word of later attempts says nothing about it (DESIGN 3, rule 13). */
	if (failure->error && publication->lost) {
		if (failure->error != ETIMEDOUT)
			failure->error = EIO;
		publication->unknown = true;
		listing_doubt(listing_of(publication), publication->name, publication->serial);
	}
	/* What we believed was wrong. */
	if (failure->error == ENOENT || failure->error == EEXIST)
		listing_doubt(listing_of(publication), publication->name, publication->serial);
	if (failure->error == ENOENT && (publication->mode != PUT_REPLACE || failure->store_is_gone))
		listing_doubt(&catalog_of(publication)->stores, publication->store->name, 0);
	if (failure->error)
		failure_censor(failure, publication->value, publication->length);
	keep_box(publication);
	let_go(publication);
	publication->done(publication);
}

/* What the service said before the time was up explains more than that it was up. */
static void fail_in_time(struct publication *publication, const char *words)
{
	if (publication->said.error)
		publication->failure = publication->said;
	else
		failure_set(&publication->failure, ETIMEDOUT, "%s", words);
}

static void timed_out(struct timer *timer)
{
	struct publication *publication = container_of(timer, struct publication, timer);

	/* The call below has the same deadline and better words; this one is for what is waited for before there is a call. */
	if (publication->inquiry.call.sends)
		publication->lost = true;
	if (publication->room.link)
		failure_set(
			&publication->failure, ENOBUFS,
			"no locked memory is left to send the value: raise RLIMIT_MEMLOCK or write fewer at once");
	else
		fail_in_time(publication, "the service did not answer in time");
	end(publication);
}

static enum known known(struct publication *publication, const struct record **record)
{
	return listing_known(listing_of(publication), publication->name, record);
}

static void turn_came(struct turn *turn)
{
	struct publication *publication = container_of(turn, struct publication, turn);
	const struct provider *provider = provider_of(publication);
	const struct record *record = NULL;
	enum known what = known(publication, &record);
	/* An outcome that is unknown is settled before anything else of the name is sent (DESIGN 3, rule 13). */
	bool must_look = listing_doubts(listing_of(publication), publication->name);

	publication->created = what != KNOWN_PRESENT;
	if (publication->mode == PUT_CREATE)
		must_look |= !provider->creates_only;
	else if (publication->mode == PUT_REPLACE)
		must_look |= !provider->replaces_only || (provider->puts_by_id && what != KNOWN_PRESENT);
	/* A replacement must say the expiry again that the old value has. */
	if (provider->expires && what == KNOWN_NOT && !publication->expiry_is_set)
		must_look = true;
	if (must_look)
		look(publication);
	else
		need_key(publication);
}

void publication_start(struct publication *publication)
{
	struct catalog *catalog = catalog_of(publication);

	publication->failure = (struct failure){0};
	publication->timer = (struct timer){.expired = timed_out};
	publication->pause = (struct timer){.expired = pause_over};
	publication->said = (struct failure){0};
	publication->pauses = 0;
	publication->turn = (struct turn){.begin = turn_came};
	/* A little later than the call's own deadline, which knows more about what happened. */
	if (timer_start(catalog->loop, &publication->timer, publication->deadline + 50) ||
	    (!publication->has_turn &&
	     turn_take(listing_of(publication), publication->name, &publication->turn))) {
		failure_set(&publication->failure, ENOMEM, "out of memory");
		end(publication);
	} else if (publication->has_turn) {
		turn_came(&publication->turn);
	}
}

bool publication_waits(const struct publication *publication)
{
	return turn_is_to_come(&publication->turn);
}

void publication_cancel(struct publication *publication)
{
	if (publication->lost || publication->inquiry.call.sends) {
		publication->unknown = true;
		listing_doubt(listing_of(publication), publication->name, publication->serial);
	}
	free(publication->sealed);
	publication->sealed = NULL;
	let_go(publication);
}

/* --- the look: what does the service have under this name? ------------------------------------------------------------------ */

/* A new entry that was made after our lost create left: ours, if there was none before. */
static bool is_ours(const struct publication *publication, const struct record *record)
{
	struct entry_text text;
	struct entry entry;

	record_entry(record, &entry, &text);
	return catalog_is_since(catalog_of(publication), entry.created_at, publication->first_sent_at);
}

static void pause_over(struct timer *timer)
{
	need_key(container_of(timer, struct publication, pause));
}

/* It was lost and has done nothing. The service is not well: it is not asked again at once. */
static void try_later(struct publication *publication)
{
	struct loop *loop = catalog_of(publication)->loop;
	uint64_t at = loop_now(loop) + net_pause(publication->pauses++);

	if (at < publication->deadline && timer_start(loop, &publication->pause, at) == 0)
		return;
	fail_in_time(publication, "the service did not answer in time");
	end(publication);
}

static void looked(struct lookup *lookup)
{
	struct publication *publication = container_of(lookup, struct publication, look);
	bool present = !lookup->failure.error, was_lost = publication->lost;

	publication->looks++;
	if (!present && lookup->failure.error != ENOENT) {
		publication->failure = lookup->failure;
		if (lookup->failure.error == ETIMEDOUT && publication->said.error)
			publication->failure = publication->said;
		end(publication);
	} else if (publication->mode == PUT_CREATE && present) {
		if (publication->lost && publication->created && is_ours(publication, lookup->record)) {
			publication->lost = false;
			publication->record = lookup->record;
		} else {
			publication->lost = false;
			failure_set(&publication->failure, EEXIST, "there is a secret of this name already");
		}
		end(publication);
	} else if (publication->mode == PUT_REPLACE && !present) {
		publication->lost = false;
		failure_set(&publication->failure, ENOENT, "there is no secret of this name");
		end(publication);
	} else {
		/* An attempt that did not take effect may be made again; one that will be replaced does not matter any more. */
		publication->lost = publication->lost && present;
		if (was_lost && !present)
			try_later(publication);
		else
			need_key(publication);
	}
}

static void look(struct publication *publication)
{
	/* If it is ours, it has the number that the kernel knows it by. */
	if (publication->lost)
		listing_doubt(listing_of(publication), publication->name, publication->serial);
	publication->look = (struct lookup){.deadline = publication->deadline, .again = true, .done = looked};
	strcpy(publication->look.name, publication->name);
	lookup_start(listing_of(publication), &publication->look);
}

/* --- the key ---------------------------------------------------------------------------------------------------------------- */

static void key_came(struct wait *wait)
{
	struct publication *publication = container_of(wait, struct publication, wait);
	struct client_keys *keys = &catalog_of(publication)->keys;

	if (keys->failure.error) {
		publication->failure = keys->failure;
		end(publication);
		return;
	}
	publication->waited_for_key = true;
	need_key(publication);
}

static bool has_key(struct publication *publication)
{
	struct client_keys *keys = &catalog_of(publication)->keys;

	if (publication->own_key)
		return client_keys_take(keys, &publication->failure) != NULL;
	if (!client_keys_current(keys, &publication->failure))
		return false;
	publication->fresh_key = client_keys_use(keys) && publication->waited_for_key;
	return true;
}

static void need_key(struct publication *publication)
{
	struct client_keys *keys = &catalog_of(publication)->keys;

	if (!provider_of(publication)->seals || has_key(publication)) {
		send(publication);
	} else if (publication->failure.error) {
		end(publication);
	} else {
		publication->wait.woken = key_came;
		wait_begin(&keys->waits, &publication->wait);
	}
}

/* --- the upload ------------------------------------------------------------------------------------------------------------- */

static int take_entry(void *context, const struct entry *entry)
{
	struct publication *publication = context;
	struct entry named = *entry;

	/* Without a version it can't be told from the old one: better none than that (listing_doubt). */
	if (!entry->digest && entry->modified_at == TIME_UNKNOWN)
		return 0;
	/* The name is ours to know: what counts is that the service has it now. */
	named.name = publication->name;
	publication->told = listing_own_put(listing_of(publication), &named, publication->serial) != NULL;
	return 0;
}

/* Whether the key was fetched for this very value, and nothing else can have used it up. */
static bool had_key_for_itself(const struct publication *publication)
{
	const struct client_keys *keys = &catalog_of(publication)->keys;

	return publication->own_key ||
	       (publication->fresh_key && client_keys_is_for_one(keys, &publication->sealed_under));
}

/* So often other clients may be first with the same name, in turn, before we give it up to them. */
#define LOOKS_MAX 3

/* What a refusal says about the way we asked, and what can be done about it once. */
static bool try_otherwise(struct publication *publication)
{
	const struct provider *provider = provider_of(publication);
	int error = publication->inquiry.failure.error;

	if (provider->seals && publication->inquiry.failure.status == 400 && error == EINVAL &&
	    !had_key_for_itself(publication)) {
		/* Perhaps it is the key that is too old, or good for one value only, and not the value that is wrong. */
		client_keys_refused(&catalog_of(publication)->keys, &publication->sealed_under);
		publication->own_key = true;
		need_key(publication);
		return true;
	}
	if (provider->puts_by_id && publication->looks < LOOKS_MAX && publication->mode != PUT_CREATE &&
	    (error == EEXIST || (error == ENOENT && !publication->inquiry.failure.store_is_gone))) {
		/* Somebody else created or deleted it meanwhile: look which, and go by that. */
		look(publication);
		return true;
	}
	return false;
}

static void room_came(struct locked_wait *wait)
{
	need_key(container_of(wait, struct publication, room));
}

/* The request's body holds the value once more, escaped: others' must go before there is room for it. */
static void wait_for_room(struct publication *publication)
{
	publication->room.room = room_came;
	locked_wait(publication->pool, &publication->room);
}

static void answered(struct inquiry *inquiry)
{
	struct publication *publication = container_of(inquiry, struct publication, inquiry);
	struct failure failure = inquiry->failure;

	if (!publication->first_sent_at)
		publication->first_sent_at = inquiry->call.sent_at;
	inquiry_finish(inquiry);
	if (!failure.error) {
		publication->lost = false;
		publication->failure = failure;
		/* Not what take_entry saw: a walk may have ended since, and its records with it. */
		if (publication->told)
			known(publication, &publication->record);
		else
			listing_doubt(listing_of(publication), publication->name, publication->serial);
		end(publication);
		return;
	}
	if (inquiry->call.lost) {
		publication->lost = true;
		publication->said = failure;
		if (!inquiry->call.repeatable && loop_now(inquiry->catalog->loop) < publication->deadline) {
			look(publication);
			return;
		}
	} else if (failure.error == ENOBUFS && !inquiry->call.sends) {
		wait_for_room(publication);
		return;
	} else if (try_otherwise(publication)) {
		return;
	}
	publication->failure = failure;
	end(publication);
}

/* The verb that the service has for what is wanted, by what is known of the name. */
static enum put_mode verb(const struct publication *publication)
{
	const struct provider *provider = provider_of(publication);

	if (provider->puts_by_id)
		return publication->id[0] && publication->mode != PUT_CREATE ? PUT_REPLACE : PUT_CREATE;
	if (publication->mode == PUT_CREATE && !provider->creates_only)
		return PUT_EITHER;
	if (publication->mode == PUT_REPLACE && !provider->replaces_only)
		return PUT_EITHER;
	return publication->mode;
}

/* What was asked for, else what the secret has that is replaced (it would be lost otherwise), else what new ones get. */
static wall_time expiry_of(const struct publication *publication, const struct record *record)
{
	const struct catalog *catalog = catalog_of(publication);
	struct entry_text text;
	struct entry entry;

	if (publication->expiry_is_set)
		return publication->expires_at;
	if (record) {
		record_entry(record, &entry, &text);
		return entry.expires_at;
	}
	if (!catalog->options.expires)
		return TIME_UNKNOWN;
	return catalog_time(catalog) + (wall_time)catalog->options.expires * NANOSECONDS;
}

/* What a secret has beside its value. */
static void ask_attributes(const struct publication *publication, const struct record *record,
			   struct ask *ask)
{
	const struct catalog_options *options = &catalog_of(publication)->options;
	bool is_new = !record || ask->mode == PUT_CREATE;

	ask->scopes = publication->scopes || !is_new ? publication->scopes : options->scopes;
	ask->comment = publication->comment || !is_new ? publication->comment : options->comment;
	ask->expires_at = options->provider->expires ? expiry_of(publication, record) : TIME_UNKNOWN;
}

static void send(struct publication *publication)
{
	struct catalog *catalog = catalog_of(publication);
	const struct provider *provider = provider_of(publication);
	struct inquiry *inquiry = &publication->inquiry;
	const struct client_key *key = &catalog->keys.key;
	const struct record *record = NULL;

	known(publication, &record);
	publication->id[0] = '\0';
	if (record && record_id(record) && strlen(record_id(record)) < sizeof publication->id)
		strcpy(publication->id, record_id(record));
	if (publication->mode == PUT_REPLACE && provider->puts_by_id && !publication->id[0]) {
		failure_set(&publication->failure, EINVAL,
			    "the service told no id of this secret, and takes changes only by id");
		end(publication);
		return;
	}
	*inquiry = (struct inquiry){.done = answered};
	inquiry->result.take = take_entry;
	inquiry->result.context = publication;
	inquiry->ask = (struct ask){
		.operation = OPERATION_PUT_SECRET,
		.store_id = publication->store->id,
		.name = publication->name,
		.id = publication->id[0] ? publication->id : NULL,
		.mode = verb(publication),
		.value = publication->value,
		.value_length = publication->length,
	};
	inquiry->unspeakable = publication->value;
	inquiry->unspeakable_length = publication->length;
	ask_attributes(publication, record, &inquiry->ask);
	if (provider->seals) {
		free(publication->sealed);
		publication->sealed = malloc(publication->length + crypto_box_SEALBYTES);
		if (!publication->sealed) {
			failure_set(&publication->failure, ENOMEM, "out of memory");
			end(publication);
			return;
		}
		publication->sealed_under = *key;
		client_key_seal(key, publication->value, publication->length, publication->sealed);
		catalog->counts.sealed_bytes += publication->length;
		inquiry->ask.value = publication->sealed;
		inquiry->ask.value_length = publication->length + crypto_box_SEALBYTES;
		inquiry->ask.client_key = key->public_key;
	} else {
		inquiry->pool = publication->pool;
	}
	inquiry_start(catalog, inquiry, publication->deadline);
	/* The request is written: what it was written from is not needed for the answer. */
	inquiry->ask.value = NULL;
	inquiry->ask.client_key = NULL;
}
