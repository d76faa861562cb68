/*
 * News of a listing: how pages, single calls and our own changes come together in its snapshots, so that neither an
 * older answer nor a walk that began earlier undoes a change of ours. How long news stays news is listing.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fetch/catalog.h"
#include "sstorefs/name.h"

static struct serials *serials_of(const struct listing *listing)
{
	return &listing->catalog->serials;
}

/* Whether it is this record that its serial number stands for now. */
static bool stands(const struct listing *listing, const struct record *record)
{
	return record->serial && serials_record(serials_of(listing), record->serial) == record;
}

static void forget(const struct listing *listing, const struct record *record)
{
	if (stands(listing, record))
		serials_point(serials_of(listing), record->serial, NULL);
}

void listing_forget_records(struct listing *listing, const struct snapshot *snapshot)
{
	const struct record *record;
	uint64_t position = 0;

	while ((record = snapshot_step(snapshot, &position)))
		forget(listing, record);
}

/* Puts `image` into one snapshot, as the entry `serial` (0: none, it is gone). NULL when memory ran out. */
static struct record *put(struct listing *listing, struct snapshot *snapshot, const struct record *image,
			  uint32_t serial)
{
	struct record *old = snapshot_find(snapshot, image->name), *record;
	bool is_other = old && old->serial && old->serial != serial;

	if (is_other)
		forget(listing, old);
	record = snapshot_put(snapshot, image);
	if (!record)
		return NULL;
	if (is_other)
		record->follower = false; /* what directories showed in its old place is not this one */
	record->serial = serial;
	record->listing = listing->number;
	record->doubted = false;
	record->checked_at = record_time(loop_now(listing->catalog->loop));
	if (serial && serials_point(serials_of(listing), serial, record))
		return NULL;
	return record;
}

/* The number that an entry keeps: that of the record with its name, unless it is another store under the same name. */
static uint32_t kept_serial(const struct listing *listing, const struct record *known, const char *id)
{
	const char *known_id;

	if (!known || (known->gone && !known->doubted))
		return 0;
	known_id = record_id(known);
	if (!listing->store && known_id && id && strcmp(known_id, id) != 0)
		return 0;
	return known->serial;
}

static struct record *known_record(const struct listing *listing, const char *name)
{
	return listing->current ? snapshot_find(listing->current, name) : NULL;
}

/* --- pages ------------------------------------------------------------------------------------------------------------------- */

/*
 * Two stores of one name: the later one shows its id, which may have any bytes, too. Returns 0, -ENOMEM, or another error where that makes no name,
 * and the store must be left out.
 */
static int tell_apart(const struct listing *listing, struct entry *entry, struct buffer *name)
{
	const struct record *first = snapshot_find(listing->filling, entry->name);
	const char *id = first && !first->gone ? record_id(first) : NULL;
	int failed;

	if (listing->store || !id || !entry->id || !strcmp(id, entry->id))
		return 0;
	failed = name_with_id(name, entry->name, entry->id);
	entry->name = buffer_text(name);
	return failed;
}

void listing_walks(struct listing *listing)
{
	struct record *record;
	uint64_t position = 0;

	while (listing->has_own_changes && listing->current &&
	       (record = snapshot_step(listing->current, &position)))
		record->own_change = false;
	listing->has_own_changes = false;
}

int listing_take(struct listing *listing, const struct entry *sent)
{
	struct walk *walk = listing->walk;
	struct buffer name = {0};
	struct entry entry = *sent;
	const struct record *known, *old;
	struct record *image = NULL, *record;
	union record_room room;
	uint32_t serial;
	int failed = entry.name ? tell_apart(listing, &entry, &name) : -EINVAL;

	if (!failed)
		image = record_pack(&room, &entry);
	buffer_finish(&name);
	if (failed == -ENOMEM)
		return failed;
	if (!image) {
		listing->filling->left_out++;
		return 0;
	}
	entry.name = image->name;
	known = known_record(listing, entry.name);
	old = snapshot_find(listing->filling, entry.name);
	if (old && !old->gone && old->round == walk->round)
		walk->repeated++;
	else
		walk->brought++;
	if (known && known->own_change)
		return 0; /* our own change is newer than this page, and stands in both snapshots */
	serial = kept_serial(listing, old ? old : known, entry.id);
	record = put(listing, listing->filling, image, serial ? serial : serials_take(serials_of(listing)));
	if (!record)
		return -ENOMEM;
	record->round = walk->round;
	return 0;
}

/* A walk that went round again: what the last round did not show any more went while we walked. */
static void drop_unseen(struct listing *listing, const struct walk *walk)
{
	struct record *record;
	uint64_t position = 0;

	while (walk->round && (record = snapshot_step(listing->filling, &position))) {
		if (record->gone || record->round == walk->round || record->own_change)
			continue;
		forget(listing, record);
		snapshot_set_gone(listing->filling, record, true);
	}
}

/* Copies a record as it is, but where it stands. False when memory ran out. */
static bool copy(struct listing *listing, struct snapshot *snapshot, const struct record *record)
{
	bool stood = stands(listing, record);
	struct record *other = snapshot_put(snapshot, record);

	return other && (!stood || !serials_point(serials_of(listing), other->serial, other));
}

/* A walk that failed on a listing that was never whole still taught us something: what else is known joins it. */
static void keep_part(struct listing *listing)
{
	struct snapshot *current = listing->current;
	const struct record *record;
	uint64_t position = 0;

	while (current && (record = snapshot_step(current, &position)))
		if (!snapshot_find(listing->filling, record->name))
			copy(listing, listing->filling, record);
	if (current)
		listing_forget_records(listing, current);
	snapshot_release(current);
	listing->current = snapshot_reference(listing->filling);
}

/* A refresh that failed changes nothing: numbers that it moved over go back to the records that are known. */
static void put_back(struct listing *listing)
{
	const struct record *record, *known;
	uint64_t position = 0;

	while ((record = snapshot_step(listing->filling, &position))) {
		if (!stands(listing, record))
			continue;
		known = snapshot_find(listing->current, record->name);
		if (known && (known->gone || known->serial != record->serial))
			known = NULL;
		serials_point(serials_of(listing), record->serial, known);
	}
}

static void replace(struct listing *listing, const struct walk *walk)
{
	if (listing->current)
		listing_forget_records(listing, listing->current);
	snapshot_release(listing->current);
	listing->current = snapshot_reference(listing->filling);
	listing->complete = true;
	listing->expired = listing->filling->outdated;
	listing->misses = 0;
	listing->pages = walk->done;
	listing->listed_at = loop_now(listing->catalog->loop);
}

void listing_walked(struct listing *listing, const struct walk *walk, const struct failure *failure)
{
	struct snapshot *filling = listing->filling;

	listing->last_failure = failure ? *failure : (struct failure){0};
	if (!failure) {
		drop_unseen(listing, walk);
		replace(listing, walk);
		listing_answered(listing);
	} else if (listing->complete) {
		put_back(listing);
		listing_failed(listing);
	} else {
		keep_part(listing);
		listing_failed(listing);
		listing->expired = false; /* the service was asked, as `refresh` wants it */
	}
	listing->filling = NULL;
	if (!listing->store)
		stores_sweep(listing->catalog);
	snapshot_end(filling, failure);
	snapshot_release(filling);
}

/* --- what is told of one name -------------------------------------------------------------------------------------------------- */

/* What the running walk brings of it is older. */
static void mark_own_change(struct listing *listing, struct record *record)
{
	record->own_change = listing->walk != NULL;
	listing->has_own_changes |= record->own_change;
}

/* In all that is known: in what stands, and in what the running walk is about to put in its place. */
static struct record *set(struct listing *listing, const struct record *image, uint32_t serial, bool own)
{
	struct record *record, *other;

	if (!listing->current)
		listing->current = snapshot_new();
	if (!listing->current)
		return NULL;
	record = put(listing, listing->current, image, serial);
	if (!record)
		return NULL;
	if (own)
		mark_own_change(listing, record);
	if (snapshot_is_sparse(listing->current))
		task_queue(listing->catalog->loop, &listing->tidy);
	if (!listing->walk)
		return record;
	other = put(listing, listing->filling, image, serial);
	if (!other)
		return NULL;
	other->own_change = record->own_change;
	other->round = listing->walk->round;
	return other;
}

int listing_told(struct listing *listing, const char *name, const struct entry *entry)
{
	struct record *image, *known = known_record(listing, name);
	union record_room room;
	uint32_t serial = 0;

	image = entry ? record_pack(&room, entry) : record_pack_absent(&room, name);
	if (!image)
		return -EINVAL;
	if (entry)
		serial = kept_serial(listing, known, entry->id);
	if (entry && !serial)
		serial = serials_take(serials_of(listing));
	return set(listing, image, serial, false) ? 0 : -ENOMEM;
}

const struct record *listing_own_put(struct listing *listing, const struct entry *entry, uint32_t serial)
{
	union record_room room;
	struct record *image = record_pack(&room, entry);

	if (!image)
		return NULL;
	if (!serial)
		serial = kept_serial(listing, known_record(listing, entry->name), entry->id);
	if (!serial)
		serial = serials_take(serials_of(listing));
	find_overtake(listing, image->name);
	return set(listing, image, serial, true);
}

void listing_own_delete(struct listing *listing, const char *name)
{
	union record_room room;
	struct record *image = record_pack_absent(&room, name);

	if (!image)
		return;
	find_overtake(listing, image->name);
	set(listing, image, 0, true);
	if (!listing->store)
		stores_sweep(listing->catalog);
}

static void renumber(struct listing *listing, struct snapshot *snapshot, const char *name, uint32_t serial)
{
	struct record *record = snapshot ? snapshot_find(snapshot, name) : NULL;

	if (!record || record->gone)
		return;
	forget(listing, record);
	record->serial = serial;
	record->follower = false;
	/* Where memory runs out the number stands for nothing, and the new name is looked up again. */
	(void)serials_point(serials_of(listing), serial, record);
}

void listing_own_rename(struct listing *listing, const char *from, const char *to, uint32_t serial)
{
	renumber(listing, listing->current, to, serial);
	renumber(listing, listing->filling, to, serial);
	listing_own_delete(listing, from);
}

static void disown_in(struct listing *listing, struct snapshot *snapshot, const char *name, uint32_t serial,
		      uint32_t other)
{
	struct record *record = snapshot ? snapshot_find(snapshot, name) : NULL;

	if (!record || record->serial != serial)
		return;
	forget(listing, record);
	record->serial = record->gone ? 0 : other;
	record->follower = false;
	/* Where memory runs out the number stands for nothing, and the name is looked up again. */
	if (record->serial)
		(void)serials_point(serials_of(listing), other, record);
}

void listing_disown(struct listing *listing, const char *name, uint32_t serial)
{
	uint32_t other = serials_take(serials_of(listing));

	disown_in(listing, listing->current, name, serial, other);
	disown_in(listing, listing->filling, name, serial, other);
}

static void doubt_in(struct listing *listing, struct snapshot *snapshot, const char *name, uint32_t serial)
{
	struct record *record = snapshot ? snapshot_find(snapshot, name) : NULL;

	if (!record)
		return;
	if (!record->serial)
		record->serial = serial;
	record->doubted = true;
	mark_own_change(listing, record);
}

void listing_doubt(struct listing *listing, const char *name, uint32_t serial)
{
	union record_room room;
	struct record *image;

	if (listing_is_local(listing))
		return;
	find_overtake(listing, name);
	if (!known_record(listing, name)) {
		image = record_pack_absent(&room, name);
		if (!image || !set(listing, image, 0, true))
			return;
	}
	/* The walk must not end without it: the page that will bring the name is not taken. */
	if (listing->filling && !snapshot_find(listing->filling, name))
		copy(listing, listing->filling, known_record(listing, name));
	doubt_in(listing, listing->current, name, serial);
	doubt_in(listing, listing->filling, name, serial);
}

/* --- tidying ------------------------------------------------------------------------------------------------------------------- */

/* Tombstones are of use as long as absence has to be remembered: while a walk runs, or the listing is not whole. */
static bool is_of_use(const struct listing *listing, const struct record *record)
{
	return !record->gone || record->doubted || (!listing->complete && listing_time_left(listing, record));
}

void listing_tidy(struct task *task)
{
	struct listing *listing = container_of(task, struct listing, tidy);
	struct snapshot *tidy;
	const struct record *record;
	uint64_t position = 0;

	if (listing->walk || !listing->current || !snapshot_is_sparse(listing->current))
		return;
	tidy = snapshot_new();
	if (!tidy)
		return;
	tidy->left_out = listing->current->left_out;
	while ((record = snapshot_step(listing->current, &position))) {
		if (is_of_use(listing, record) && !copy(listing, tidy, record)) {
			/* What has moved moves back; the next change tries again. */
			position = 0;
			while ((record = snapshot_step(listing->current, &position)))
				if (record->serial && !record->gone)
					serials_point(serials_of(listing), record->serial, record);
			snapshot_release(tidy);
			return;
		}
	}
	snapshot_release(listing->current);
	listing->current = tidy;
}
