/*
 * A listing: what is known of one directory, how fresh it is, and how news from pages, single calls and our own changes come together in it. How pages are
 * fetched is walk.c, how single names are asked for find.c, who waits for either lookup.c.
 */
#include "listing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "catalog.h"

#define PAUSE_AFTER_FAILURE 3000 /* milliseconds in which a refresh that failed is not tried again */
#define TTL_WALK_FACTOR	    10	 /* a listing lives at least so many times as long as it took to fetch */
#define TTL_MINIMAL	    1000 /* with `minimal`: what one program's next few calls may still use */

int listing_init(struct listing *listing, struct catalog *catalog, struct store *store)
{
	*listing = (struct listing){.catalog = catalog, .store = store};
	return catalog_add_listing(catalog, listing);
}

/* Takes the serial numbers of a snapshot's records off the table, where they still stand for these records. */
static void forget_records(struct catalog *catalog, struct snapshot *snapshot)
{
	const struct record *record;
	uint64_t position = 0;

	while ((record = snapshot_step(snapshot, &position)))
		if (record->serial && serials_record(&catalog->serials, record->serial) == record)
			serials_point(&catalog->serials, record->serial, NULL);
}

void listing_finish(struct listing *listing)
{
	walk_abort(listing);
	find_abort_all(listing);
	if (listing->current)
		forget_records(listing->catalog, listing->current);
	snapshot_release(listing->current);
	catalog_remove_listing(listing->catalog, listing);
}

static uint64_t now(const struct listing *listing)
{
	return loop_now(listing->catalog->loop);
}

/* Scopes that only we know of never grow old. */
static bool is_local(const struct listing *listing)
{
	return !listing->store && listing->catalog->options.provider->stores_are_local;
}

static uint64_t time_to_live(const struct listing *listing)
{
	const struct catalog_options *options = &listing->catalog->options;
	uint64_t floor = listing->walk_took * TTL_WALK_FACTOR;

	if (options->ttl == CLOCK_NEVER || is_local(listing))
		return CLOCK_NEVER;
	if (options->minimal)
		return TTL_MINIMAL;
	return options->ttl > floor ? options->ttl : floor;
}

static uint64_t left_of(uint64_t age, uint64_t life)
{
	if (life == CLOCK_NEVER)
		return CLOCK_NEVER;
	return age < life ? life - age : 0;
}

static uint64_t record_age(const struct listing *listing, const struct record *record)
{
	return (uint64_t)(uint32_t)(record_time(now(listing)) - record->checked_at) * 1000 / 16;
}

uint64_t listing_time_left(const struct listing *listing, const struct record *record)
{
	uint64_t whole = 0, own = 0;

	if (record && record->doubted)
		return 0;
	if (listing->complete && (!listing->expired || is_local(listing)))
		whole = left_of(now(listing) - listing->listed_at, time_to_live(listing));
	if (!record || !record->checked_at)
		own = 0;
	else if (!record->gone)
		own = left_of(record_age(listing, record), time_to_live(listing));
	else
		own = left_of(record_age(listing, record), listing->catalog->options.negative_ttl);
	return whole > own ? whole : own;
}

bool listing_is_stale(const struct listing *listing, const struct record *record)
{
	return listing->failed_at && !listing_time_left(listing, record);
}

void listing_expire(struct listing *listing)
{
	struct record *record;
	uint64_t position = 0;

	listing->expired = true;
	listing->failed_at = 0;
	listing->misses = 0;
	while (listing->current && (record = snapshot_step(listing->current, &position)))
		record->checked_at = 0;
}

static bool is_past_expiry(const struct record *record)
{
	struct entry_text text;
	struct entry entry;

	if (!record->expires)
		return false;
	record_entry(record, &entry, &text);
	return entry.expires_at <= clock_wall();
}

void listing_refresh(struct listing *listing)
{
	if (listing->walk || (listing->failed_at && now(listing) - listing->failed_at < PAUSE_AFTER_FAILURE))
		return;
	if (walk_begin(listing))
		listing->failed_at = now(listing);
}

/* A refresh in the background of what was just given though it was past its time: the listing where there is one, else the one name. */
static void refresh_behind(struct listing *listing, const struct record *record)
{
	struct catalog *catalog = listing->catalog;

	if (listing->failed_at && now(listing) - listing->failed_at < PAUSE_AFTER_FAILURE)
		return;
	if (listing->complete || !record || !find_is_possible(listing, record->name))
		listing_refresh(listing);
	else
		find_start(listing, record->name, false, now(listing) + catalog->options.timeout);
}

/* Old answers are given while news is on its way; not where the user wants none, unless the service can't be asked. */
static bool may_be_old(const struct listing *listing)
{
	bool wanted = listing->catalog->options.minimal || listing->expired;

	return !wanted || (listing->failed_at && now(listing) - listing->failed_at < PAUSE_AFTER_FAILURE);
}

static const struct record *find_record(const struct listing *listing, const char *name)
{
	const struct record *record = listing->current ? snapshot_find(listing->current, name) : NULL;

	/* What the first walk has brought so far is better than nothing. */
	if (!record && !listing->complete && listing->filling)
		record = snapshot_find(listing->filling, name);
	return record;
}

enum known listing_known(struct listing *listing, const char *name, const struct record **record)
{
	const struct record *found = find_record(listing, name);
	bool fresh = listing_time_left(listing, found) > 0;

	*record = NULL;
	if (found && found->doubted)
		return KNOWN_NOT;
	if (!found && !listing->complete)
		return KNOWN_NOT;
	if (found && found->gone && !listing->complete && !fresh)
		return KNOWN_NOT;
	if (!fresh) {
		if (!may_be_old(listing))
			return KNOWN_NOT;
		refresh_behind(listing, found);
	}
	if (!found || found->gone || is_past_expiry(found))
		return KNOWN_ABSENT;
	*record = found;
	return KNOWN_PRESENT;
}

void listing_touch(struct listing *listing, const struct record *record)
{
	if (!listing_time_left(listing, record))
		refresh_behind(listing, record);
}

/* Makes `record` of `snapshot` stand for its serial number. */
static int point_at(struct listing *listing, struct record *record, uint32_t serial)
{
	record->serial = serial;
	record->listing = listing->number;
	return serials_point(&listing->catalog->serials, serial, record);
}

/* Two stores of one name: the later one shows its id. */
static const struct entry *renamed(const struct listing *listing, const struct entry *entry,
				   struct entry *other, char name[static 512])
{
	const struct record *first = snapshot_find(listing->filling, entry->name);
	const char *id;

	if (listing->store || !first || first->gone || !entry->id)
		return entry;
	id = record_id(first);
	if (!id || !strcmp(id, entry->id) || strlen(entry->name) + strlen(entry->id) + 1 > 255)
		return entry;
	snprintf(name, 512, "%s~%s", entry->name, entry->id);
	*other = *entry;
	other->name = name;
	return other;
}

/* The number that an entry keeps: that of the record with its name, unless it is another store under the same name. */
static uint32_t kept_serial(const struct listing *listing, const struct record *known,
			    const struct entry *entry)
{
	const char *id;

	if (!known || (known->gone && !known->doubted) || !known->serial)
		return 0;
	id = record_id(known);
	if (!listing->store && id && entry->id && strcmp(id, entry->id) != 0)
		return 0;
	return known->serial;
}

int listing_take(struct listing *listing, const struct entry *entry)
{
	struct record *known, *record;
	struct entry other;
	char name[512];
	uint32_t serial;

	entry = renamed(listing, entry, &other, name);
	known = listing->current ? snapshot_find(listing->current, entry->name) : NULL;
	if (known && known->own_change >= listing->walk->number)
		return 0; /* our own change is newer than this page, and stands in both snapshots */
	record = snapshot_put(listing->filling, entry);
	if (!record)
		return -ENOMEM;
	record->checked_at = record_time(now(listing));
	record->doubted = false;
	serial = record->serial ? record->serial : kept_serial(listing, known, entry);
	return point_at(listing, record, serial ? serial : serials_take(&listing->catalog->serials));
}

/* A walk that failed on a listing that was never whole still taught us something: its records join those that are known. */
static void keep_part(struct listing *listing)
{
	struct snapshot *filling = listing->filling, *current = listing->current;
	struct record *record, *other;
	struct entry_text text;
	struct entry entry;
	uint64_t position = 0;

	while (current && (record = snapshot_step(current, &position))) {
		if (record->dead || snapshot_find(filling, record->name))
			continue;
		record_entry(record, &entry, &text);
		other = snapshot_put(filling, &entry);
		if (!other)
			continue;
		other->checked_at = record->checked_at;
		other->own_change = record->own_change;
		other->doubted = record->doubted;
		if (record->gone)
			snapshot_set_gone(filling, other, true);
		else
			point_at(listing, other, record->serial);
	}
	if (current)
		forget_records(listing->catalog, current);
	snapshot_release(current);
	listing->current = filling;
}

/* A refresh that failed changes nothing: what it had moved over goes back to the records that are known. */
static void put_back(struct listing *listing)
{
	const struct record *record;
	struct record *known;
	uint64_t position = 0;

	while ((record = snapshot_step(listing->filling, &position))) {
		if (!record->serial || serials_record(&listing->catalog->serials, record->serial) != record)
			continue;
		known = snapshot_find(listing->current, record->name);
		serials_point(&listing->catalog->serials, record->serial,
			      known && !known->gone && known->serial == record->serial ? known : NULL);
	}
	snapshot_release(listing->filling);
}

void listing_walked(struct listing *listing, const struct failure *failure)
{
	struct snapshot *filling = snapshot_reference(listing->filling);

	listing->last_failure = failure ? *failure : (struct failure){0};
	if (failure) {
		listing->failed_at = now(listing) ? now(listing) : 1;
		if (listing->complete)
			put_back(listing);
		else
			keep_part(listing);
	} else {
		if (listing->current)
			forget_records(listing->catalog, listing->current);
		snapshot_release(listing->current);
		listing->current = filling;
		listing->complete = true;
		listing->expired = false;
		listing->failed_at = 0;
		listing->misses = 0;
		listing->listed_at = now(listing);
	}
	listing->filling = NULL;
	if (!listing->store)
		stores_sweep(listing->catalog);
	snapshot_end(filling, failure);
	snapshot_release(filling);
}

/* Whether a number still belongs to this name: after a rename it is the new name's. */
static bool stands_for(const struct listing *listing, uint32_t serial, const char *name)
{
	const struct record *record = serials_record(&listing->catalog->serials, serial);

	return record && record->listing == listing->number && !strcmp(record->name, name);
}

/* Puts an entry, or with NULL a tombstone, for `name` into one snapshot. */
static struct record *set_in(struct listing *listing, struct snapshot *snapshot, const char *name,
			     const struct entry *entry, uint32_t serial)
{
	struct entry absent = {.name = name,
			       .created_at = TIME_UNKNOWN,
			       .modified_at = TIME_UNKNOWN,
			       .expires_at = TIME_UNKNOWN,
			       .livemode = -1};
	struct record *record = entry ? NULL : snapshot_find(snapshot, name);

	if (!record)
		record = snapshot_put(snapshot, entry ? entry : &absent);
	if (!record)
		return NULL;
	record->checked_at = record_time(now(listing));
	record->doubted = false;
	if (!entry) {
		if (record->serial && stands_for(listing, record->serial, name))
			serials_point(&listing->catalog->serials, record->serial, NULL);
		record->serial = 0;
		snapshot_set_gone(snapshot, record, true);
	} else if (point_at(listing, record, serial)) {
		return NULL;
	}
	return record;
}

/* The same in all that is known: in what stands, and in what the running walk is about to put in its place. */
static struct record *set(struct listing *listing, const char *name, const struct entry *entry,
			  uint32_t serial, bool own)
{
	uint32_t stamp = own && listing->walk ? listing->walk->number : 0;
	struct record *record, *other;

	if (!listing->current)
		listing->current = snapshot_new();
	if (!listing->current)
		return NULL;
	record = set_in(listing, listing->current, name, entry, serial);
	if (!record)
		return NULL;
	if (own)
		record->own_change = stamp;
	if (!listing->filling)
		return record;
	other = set_in(listing, listing->filling, name, entry, serial);
	if (other && own)
		other->own_change = stamp;
	return other;
}

int listing_told(struct listing *listing, const char *name, const struct entry *entry, uint64_t asked_at)
{
	struct record *known = listing->current ? snapshot_find(listing->current, name) : NULL;
	uint32_t serial;

	if (known && !known->doubted && known->checked_at > record_time(asked_at))
		return 0;
	if (!entry)
		return set(listing, name, NULL, 0, false) ? 0 : -ENOMEM;
	serial = kept_serial(listing, known, entry);
	return set(listing, name, entry, serial ? serial : serials_take(&listing->catalog->serials), false)
		       ? 0
		       : -ENOMEM;
}

const struct record *listing_own_put(struct listing *listing, const struct entry *entry, uint32_t serial)
{
	const struct record *known = listing->current ? snapshot_find(listing->current, entry->name) : NULL;
	uint32_t kept = kept_serial(listing, known, entry);

	if (!serial)
		serial = kept ? kept : serials_take(&listing->catalog->serials);
	if (kept && kept != serial)
		serials_point(&listing->catalog->serials, kept, NULL);
	return set(listing, entry->name, entry, serial, true);
}

void listing_own_delete(struct listing *listing, const char *name)
{
	set(listing, name, NULL, 0, true);
	if (!listing->store)
		stores_sweep(listing->catalog);
}

bool listing_doubts(const struct listing *listing, const char *name)
{
	const struct record *record = listing->current ? snapshot_find(listing->current, name) : NULL;

	return record && record->doubted;
}

void listing_doubt(struct listing *listing, const char *name, uint32_t serial)
{
	struct record *record = listing->current ? snapshot_find(listing->current, name) : NULL;
	uint32_t stamp = listing->walk ? listing->walk->number : 0;

	if (!record) {
		set(listing, name, NULL, 0, true);
		record = listing->current ? snapshot_find(listing->current, name) : NULL;
	}
	if (record && !record->serial)
		record->serial = serial;
	if (record) {
		record->doubted = true;
		record->own_change = stamp;
	}
	record = listing->filling ? snapshot_find(listing->filling, name) : NULL;
	if (record) {
		record->doubted = true;
		record->own_change = stamp;
	}
}

struct snapshot *listing_view(struct listing *listing, struct failure *failure)
{
	const struct failure *down;

	if (listing->complete) {
		if (listing_time_left(listing, NULL))
			return snapshot_reference(listing->current);
		listing_refresh(listing);
		if (may_be_old(listing) || !listing->filling)
			return snapshot_reference(listing->current);
		return snapshot_reference(listing->filling);
	}
	down = net_down(listing->catalog->net);
	if (!listing->walk && down) {
		*failure = *down;
		return NULL;
	}
	if (walk_begin(listing)) {
		failure_set(failure, ENOMEM, "out of memory");
		return NULL;
	}
	return snapshot_reference(listing->filling);
}

struct snapshot *listing_known_view(struct listing *listing)
{
	return listing->complete ? snapshot_reference(listing->current) : NULL;
}

struct store *listing_store(const struct listing *listing)
{
	return listing->store;
}
