/*
 * Merges pages, responses about single names and local changes into the snapshots of a listing, so
 * that neither an older response nor a walk that began earlier undoes a local change.
 */
#include <errno.h>
#include <string.h>

#include "cache.h"
#include "invariants.h"
#include "sstorefs/name.h"

static void tell_name_changed(struct listing *listing, const char *name)
{
	if (listing->cache->name_changed)
		listing->cache->name_changed(listing, name);
}

static void tell_stores_changed(struct listing *listing)
{
	if (listing->cache->stores_changed)
		listing->cache->stores_changed(listing->cache);
}

static struct entry_ids *entry_ids_of(const struct listing *listing)
{
	return &listing->cache->entry_ids;
}

/* True if the entry id of the record leads to this record. */
static bool is_bound(const struct listing *listing, const struct record *record)
{
	return record->entry_id &&
	       entry_id_lookup(entry_ids_of(listing), record->entry_id) == record;
}

static void unbind(const struct listing *listing, const struct record *record)
{
	if (is_bound(listing, record))
		entry_id_bind(entry_ids_of(listing), record->entry_id, NULL);
}

/* Gives a record another entry id; 0: none. When memory runs out the id leads to no record, and the
 * name is looked up again. */
static void rebind(struct listing *listing, struct record *record, uint32_t entry_id)
{
	unbind(listing, record);
	record->entry_id = entry_id;
	record->relocated = false;
	if (entry_id)
		(void)entry_id_bind(entry_ids_of(listing), entry_id, record);
	record_check(listing, record);
}

void listing_unbind_records(struct listing *listing, const struct snapshot *snapshot)
{
	const struct record *record;
	uint64_t position = 0;

	while (snapshot && (record = snapshot_step(snapshot, &position)))
		unbind(listing, record);
}

/* Puts `image` into one snapshot as the entry `entry_id` (0: a tombstone). Returns the record, or
 * NULL when memory ran out. */
static struct record *put(struct listing *listing, struct snapshot *snapshot,
			  const struct record *image, uint32_t entry_id)
{
	struct record *old = snapshot_find(snapshot, image->name), *record;
	bool is_other = old && old->entry_id && old->entry_id != entry_id;

	if (is_other)
		unbind(listing, old);
	record = snapshot_put(snapshot, image);
	if (!record)
		return NULL;
	if (is_other)
		record->relocated = false; /* directories show another entry at its old place */
	record->entry_id = entry_id;
	record->listing = listing->number;
	record->invalid = false;
	record->verified_at = record_time(loop_now(listing->cache->loop));
	if (entry_id && entry_id_bind(entry_ids_of(listing), entry_id, record))
		return NULL;
	return record;
}

/* Returns the entry id of an entry: that of the record with its name, unless that is another store;
 * else a new one. */
static uint32_t entry_id_for(const struct listing *listing, const struct record *cached,
			     const char *id)
{
	const char *cached_id;

	if (!cached || !cached->entry_id || (cached->deleted && !cached->invalid))
		return entry_id_new(entry_ids_of(listing));
	cached_id = record_id(cached);
	if (!listing->store && cached_id && id && strcmp(cached_id, id) != 0)
		return entry_id_new(entry_ids_of(listing));
	return cached->entry_id;
}

/* Pages */

/*
 * Gives the second of two stores with one name the name NAME~ID. Returns 0, -ENOMEM, or another
 * negative errno if its id makes no valid name and the store must be left out.
 */
static int make_name_unique(const struct listing *listing, struct entry *entry, struct buffer *name)
{
	const struct record *first = snapshot_find(listing->next, entry->name);
	const char *id = first && !first->deleted ? record_id(first) : NULL;
	int failed;

	if (listing->store || !id || !entry->id || !strcmp(id, entry->id))
		return 0;
	failed = name_with_id(name, entry->name, entry->id);
	entry->name = buffer_cstr(name);
	return failed;
}

void listing_walk_started(struct listing *listing)
{
	struct record *record;
	uint64_t position = 0;

	while (listing->has_local_changes && listing->current &&
	       (record = snapshot_step(listing->current, &position)))
		record->local_change = false;
	listing->has_local_changes = false;
}

int listing_apply_page_entry(struct listing *listing, const struct entry *sent)
{
	struct buffer name = {0};
	struct entry entry = *sent;
	const struct record *cached, *old;
	struct record *image = NULL, *record;
	union record_room room;
	int failed = entry.name ? make_name_unique(listing, &entry, &name) : -EINVAL;

	if (!failed)
		image = record_pack(&room, &entry);
	buffer_finish(&name);
	if (failed == -ENOMEM)
		return failed;
	if (!image) {
		listing->next->names_too_long++;
		return 0;
	}
	entry.name = image->name;
	cached = snapshot_find(listing->current, entry.name);
	old = snapshot_find(listing->next, entry.name);
	if (old && !old->deleted && old->walk_round == listing->pass.number)
		listing->pass.repeated++;
	else
		listing->pass.new_entries++;
	if (cached && cached->local_change)
		return 0; /* the local change is newer than this page, and is in both snapshots */
	record = put(listing, listing->next, image,
		     entry_id_for(listing, old ? old : cached, entry.id));
	if (!record)
		return -ENOMEM;
	record->walk_round = listing->pass.number;
	record_check(listing, record);
	return 0;
}

/* Deletes the entries that the last round of a walk did not list any more: they were deleted
 * meanwhile. */
static void drop_unseen(struct listing *listing)
{
	struct record *record;
	uint64_t position = 0;

	while (listing->pass.number && (record = snapshot_step(listing->next, &position))) {
		if (record->deleted || record->walk_round == listing->pass.number ||
		    record->local_change)
			continue;
		snapshot_set_deleted(listing->next, record, true);
		rebind(listing, record, 0);
	}
}

/* Copies a record to another snapshot, with its entry id. False when memory ran out. */
static bool copy(struct listing *listing, struct snapshot *snapshot, const struct record *record)
{
	bool was_bound = is_bound(listing, record);
	struct record *other = snapshot_put(snapshot, record);

	return other &&
	       (!was_bound || !entry_id_bind(entry_ids_of(listing), other->entry_id, other));
}

int listing_apply_unchanged(struct listing *listing)
{
	const struct snapshot *current = listing->current;
	const struct record *record;
	uint64_t position = 0;

	listing->next->names_too_long = current->names_too_long;
	while ((record = snapshot_step(current, &position)))
		if (!record->deleted && !put(listing, listing->next, record, record->entry_id))
			return -ENOMEM;
	return 0;
}

/* Keeps the pages of a walk that failed on a listing that was never complete, and adds what else is
 * cached. */
static void keep_part(struct listing *listing)
{
	struct snapshot *current = listing->current;
	const struct record *record;
	uint64_t position = 0;

	while (current && (record = snapshot_step(current, &position)))
		if (!snapshot_find(listing->next, record->name))
			copy(listing, listing->next, record);
	listing_unbind_records(listing, current);
	snapshot_release(current);
	listing->current = snapshot_reference(listing->next);
}

/* Undoes a refresh that failed: entry ids lead to the records of the current snapshot again. */
static void put_back(struct listing *listing)
{
	const struct record *record, *cached;
	uint64_t position = 0;

	while ((record = snapshot_step(listing->next, &position))) {
		if (!is_bound(listing, record))
			continue;
		cached = snapshot_find(listing->current, record->name);
		if (cached && (cached->deleted || cached->entry_id != record->entry_id))
			cached = NULL;
		entry_id_bind(entry_ids_of(listing), record->entry_id, cached);
	}
}

static void replace(struct listing *listing, uint64_t pages)
{
	listing_unbind_records(listing, listing->current);
	snapshot_release(listing->current);
	listing->current = snapshot_reference(listing->next);
	listing->is_complete = true;
	listing->force_refresh = snapshot_is_stale(listing->next);
	listing->single_lookups = 0;
	listing->pages = pages;
	listing->listed_at = loop_now(listing->cache->loop);
}

void listing_walk_done(struct listing *listing, uint64_t pages, const struct failure *failure)
{
	struct snapshot *next = listing->next;

	listing->last_failure = failure ? *failure : (struct failure){0};
	if (!failure) {
		drop_unseen(listing);
		replace(listing, pages);
		listing_note_success(listing);
	} else if (listing->is_complete) {
		put_back(listing);
		listing_note_failure(listing);
	} else {
		keep_part(listing);
		listing_note_failure(listing);
		listing->force_refresh = false; /* the service was asked, as `refresh` demands */
	}
	listing->next = NULL;
	snapshot_seal(next, failure);
	listing_check(listing);
	if (!listing->store)
		tell_stores_changed(listing);
	/* Last, because a woken lookup may release the store, and with it the listing. */
	wait_wake_all(&next->waits);
	snapshot_release(next);
}

/* Single names */

/* Notes that the pages of the walk that runs are older than this record. */
static void mark_local_change(struct listing *listing, struct record *record)
{
	record->local_change = listing->walk != NULL;
	listing->has_local_changes |= record->local_change;
}

/*
 * Stores `image` in the current snapshot and, during a walk, in the next one. Returns the newest
 * copy, or NULL when memory ran out.
 */
static struct record *set(struct listing *listing, const struct record *image, uint32_t entry_id,
			  bool local)
{
	struct record *record, *other;

	if (!listing->current)
		listing->current = snapshot_new();
	if (!listing->current)
		return NULL;
	record = put(listing, listing->current, image, entry_id);
	if (!record)
		return NULL;
	if (local)
		mark_local_change(listing, record);
	if (snapshot_needs_compaction(listing->current))
		task_queue(listing->cache->loop, &listing->compaction);
	record_check(listing, record);
	if (!listing->walk)
		return record;
	other = put(listing, listing->next, image, entry_id);
	if (!other)
		return NULL;
	other->local_change = record->local_change;
	other->walk_round = listing->pass.number;
	record_check(listing, other);
	return other;
}

int listing_apply_answer(struct listing *listing, const char *name, const struct entry *entry)
{
	struct record *image, *cached = snapshot_find(listing->current, name);
	union record_room room;
	uint32_t entry_id = 0;

	image = entry ? record_pack(&room, entry) : record_pack_absent(&room, name);
	if (!image)
		return -EINVAL;
	if (entry)
		entry_id = entry_id_for(listing, cached, entry->id);
	return set(listing, image, entry_id, false) ? 0 : -ENOMEM;
}

const struct record *listing_local_put(struct listing *listing, const struct entry *entry,
				       uint32_t entry_id)
{
	union record_room room;
	struct record *image = record_pack(&room, entry);

	if (!image)
		return NULL;
	if (!entry_id)
		entry_id = entry_id_for(listing, snapshot_find(listing->current, entry->name),
					entry->id);
	tell_name_changed(listing, image->name);
	return set(listing, image, entry_id, true);
}

void listing_local_delete(struct listing *listing, const char *name)
{
	union record_room room;
	struct record *image = record_pack_absent(&room, name);

	if (!image)
		return;
	tell_name_changed(listing, image->name);
	set(listing, image, 0, true);
	if (!listing->store)
		tell_stores_changed(listing);
}

static void renumber(struct listing *listing, struct snapshot *snapshot, const char *name,
		     uint32_t entry_id)
{
	struct record *record = snapshot_find(snapshot, name);

	if (!record || record->deleted)
		return;
	/* The name may have had this entry id before, at a place that it has outgrown. */
	snapshot_forget_superseded(snapshot, name);
	rebind(listing, record, entry_id);
}

void listing_assign_id(struct listing *listing, const char *name, uint32_t entry_id)
{
	renumber(listing, listing->current, name, entry_id);
	renumber(listing, listing->next, name, entry_id);
}

void listing_local_rename(struct listing *listing, const char *from, const char *to,
			  uint32_t entry_id)
{
	listing_assign_id(listing, to, entry_id);
	listing_local_delete(listing, from);
}

static void reassign_id_in(struct listing *listing, struct snapshot *snapshot, const char *name,
			   uint32_t entry_id, uint32_t other)
{
	struct record *record = snapshot_find(snapshot, name);

	if (record && record->entry_id == entry_id)
		rebind(listing, record, record->deleted ? 0 : other);
}

void listing_reassign_id(struct listing *listing, const char *name, uint32_t entry_id)
{
	uint32_t other = entry_id_new(entry_ids_of(listing));

	reassign_id_in(listing, listing->current, name, entry_id, other);
	reassign_id_in(listing, listing->next, name, entry_id, other);
}

static void invalidate_in(struct listing *listing, struct snapshot *snapshot, const char *name,
			  uint32_t entry_id)
{
	struct record *record = snapshot_find(snapshot, name);

	if (!record)
		return;
	if (!record->entry_id)
		record->entry_id = entry_id;
	record->invalid = true;
	mark_local_change(listing, record);
	record_check(listing, record);
}

void listing_invalidate(struct listing *listing, const char *name, uint32_t entry_id)
{
	union record_room room;
	struct record *image;

	if (listing_is_local(listing))
		return;
	tell_name_changed(listing, name);
	if (!snapshot_find(listing->current, name)) {
		image = record_pack_absent(&room, name);
		if (!image || !set(listing, image, 0, true))
			return;
	}
	/* The next snapshot needs the name, too: a page that lists it is ignored. */
	if (listing->next && !snapshot_find(listing->next, name))
		copy(listing, listing->next, snapshot_find(listing->current, name));
	invalidate_in(listing, listing->current, name, entry_id);
	invalidate_in(listing, listing->next, name, entry_id);
}

/* Compaction */

/* True unless the record is a tombstone that says no more than a complete listing, or is stale. */
static bool is_useful(const struct listing *listing, const struct record *record)
{
	return !record->deleted || record->invalid ||
	       (!listing->is_complete && listing_time_left(listing, record));
}

void listing_compact(struct task *task)
{
	struct listing *listing = container_of(task, struct listing, compaction);
	struct snapshot *compacted;
	const struct record *record;
	uint64_t position = 0;

	if (listing->walk || !listing->current || !snapshot_needs_compaction(listing->current))
		return;
	compacted = snapshot_new();
	if (!compacted)
		return;
	compacted->names_too_long = listing->current->names_too_long;
	while ((record = snapshot_step(listing->current, &position))) {
		if (is_useful(listing, record) && !copy(listing, compacted, record)) {
			/* Entry ids lead back to the old records; the next change tries again. */
			position = 0;
			while ((record = snapshot_step(listing->current, &position)))
				if (record->entry_id && !record->deleted)
					entry_id_bind(entry_ids_of(listing), record->entry_id,
						      record);
			snapshot_release(compacted);
			return;
		}
	}
	snapshot_release(listing->current);
	listing->current = compacted;
	listing_check(listing);
}
