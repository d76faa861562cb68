/* Checks the states of records and listings in debug builds. */
#include "invariants.h"

#ifndef NDEBUG

#include <assert.h>
#include <string.h>

#include "cache.h"

void record_check(const struct listing *listing, const struct record *record)
{
	const struct record *bound;

	if (!record)
		return;
	assert(!record->superseded);
	assert(record->listing == listing->number);
	assert(record->size && record->name_length == strlen(record->name));
	assert(!record->local_change || listing->has_local_changes);
	assert(record->expires == (record_expires_at(record) != TIME_UNKNOWN));
	if (record->deleted) {
		assert(!record->entry_id || record->invalid);
		assert(!record->relocated);
		return;
	}
	assert(record->entry_id);
	/* NULL where memory ran out, or the entry is known in the other snapshot alone. */
	bound = entry_id_lookup(&listing->cache->entry_ids, record->entry_id);
	assert(!bound || (bound->listing == record->listing && !bound->deleted));
}

static void snapshot_check(const struct listing *listing, struct snapshot *snapshot)
{
	const struct record *record;
	uint64_t position = 0;
	size_t present = 0, indexed = 0;

	while ((record = snapshot_step(snapshot, &position))) {
		record_check(listing, record);
		assert(snapshot_find(snapshot, record->name) == record);
		present += !record->deleted;
		indexed++;
	}
	assert(snapshot->present == present && snapshot->indexed == indexed);
}

void listing_check(const struct listing *listing)
{
	assert((listing->next != NULL) == (listing->walk != NULL));
	assert(listing->current || !listing->is_complete);
	assert(!listing_is_local(listing) || !listing->force_refresh);
	if (listing->current) {
		assert(!snapshot_is_filling(listing->current));
		snapshot_check(listing, listing->current);
	}
	if (listing->next) {
		assert(snapshot_is_filling(listing->next) && listing->next != listing->current);
		snapshot_check(listing, listing->next);
	}
}

#endif
