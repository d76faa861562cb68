/*
 * A snapshot: the records of one walk in chunks that never move, with a hash index over their names. What the records mean and when they are
 * believed is the listing's matter (listing.c).
 */
#include "snapshot.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE	 (256u << 10) /* above malloc's mmap threshold: given back to the system when it is freed */
#define CHUNK_SIZE_FIRST (2u << 10) /* so that a store of few secrets costs little */
#define INDEX_SIZE_FIRST 32

/* Keyed, because names come from outside; one key for the process is enough, and nothing depends on its value. */
static uint64_t name_hash(const char *name, size_t length)
{
	static uint8_t key[crypto_shorthash_KEYBYTES];
	static bool made;
	uint64_t hash;

	if (!made) {
		randombytes_buf(key, sizeof key);
		made = true;
	}
	crypto_shorthash((uint8_t *)&hash, (const uint8_t *)name, length, key);
	return hash;
}

struct snapshot *snapshot_new(void)
{
	struct snapshot *snapshot = calloc(1, sizeof *snapshot);

	if (snapshot)
		snapshot->references = 1;
	return snapshot;
}

struct snapshot *snapshot_reference(struct snapshot *snapshot)
{
	snapshot->references++;
	return snapshot;
}

void snapshot_release(struct snapshot *snapshot)
{
	if (!snapshot || --snapshot->references)
		return;
	for (size_t i = 0; i < snapshot->chunk_count; i++)
		free(snapshot->chunks[i]);
	free(snapshot->chunks);
	free(snapshot->index);
	free(snapshot->failure);
	free(snapshot);
}

static size_t chunk_size(const struct snapshot *snapshot, size_t chunk)
{
	return chunk ? CHUNK_SIZE : snapshot->first_size;
}

static struct record *record_at(const struct snapshot *snapshot, uint64_t position)
{
	return (struct record *)(void *)(snapshot->chunks[position / CHUNK_SIZE] + position % CHUNK_SIZE);
}

/* The slot of `name` in the index: the one that holds it, or the free one where it belongs. */
static size_t find_slot(const struct snapshot *snapshot, const char *name, size_t length)
{
	size_t slot = name_hash(name, length) & (snapshot->index_size - 1);

	while (snapshot->index[slot]) {
		const struct record *record =
			record_at(snapshot, (uint64_t)(snapshot->index[slot] - 1) * RECORD_ALIGNMENT);

		if (record->name_length == length && !memcmp(record->name, name, length))
			break;
		slot = (slot + 1) & (snapshot->index_size - 1);
	}
	return slot;
}

struct record *snapshot_find(const struct snapshot *snapshot, const char *name)
{
	uint32_t place;

	if (!snapshot->index_size)
		return NULL;
	place = snapshot->index[find_slot(snapshot, name, strlen(name))];
	return place ? record_at(snapshot, (uint64_t)(place - 1) * RECORD_ALIGNMENT) : NULL;
}

struct record *snapshot_step(const struct snapshot *snapshot, uint64_t *position)
{
	uint64_t chunk = *position / CHUNK_SIZE;
	struct record *record;

	for (; chunk < snapshot->chunk_count; chunk++, *position = chunk * CHUNK_SIZE) {
		size_t end = chunk + 1 < snapshot->chunk_count ? chunk_size(snapshot, chunk) : snapshot->used;

		if (*position % CHUNK_SIZE + sizeof *record > end)
			continue;
		record = record_at(snapshot, *position);
		if (!record->size)
			continue;
		*position += (uint64_t)record->size * RECORD_ALIGNMENT;
		return record;
	}
	return NULL;
}

const struct record *snapshot_next(const struct snapshot *snapshot, uint64_t *position)
{
	struct record *record;

	do
		record = snapshot_step(snapshot, position);
	while (record && (record->gone || record->dead));
	return record;
}

static bool grow_index(struct snapshot *snapshot)
{
	size_t size = snapshot->index_size ? snapshot->index_size * 2 : INDEX_SIZE_FIRST;
	uint32_t *index = calloc(size, sizeof *index);
	struct record *record;
	uint64_t next = 0;

	if (!index)
		return false;
	free(snapshot->index);
	snapshot->index = index;
	snapshot->index_size = size;
	while ((record = snapshot_step(snapshot, &next))) {
		uint64_t position = next - (uint64_t)record->size * RECORD_ALIGNMENT;

		if (!record->dead)
			index[find_slot(snapshot, record->name, record->name_length)] =
				(uint32_t)(position / RECORD_ALIGNMENT + 1);
	}
	return true;
}

/* Memory that is zero: a chunk ends where a record of size 0 would follow. */
static bool add_chunk(struct snapshot *snapshot, size_t wanted)
{
	size_t size = snapshot->chunk_count || wanted > CHUNK_SIZE_FIRST ? CHUNK_SIZE : CHUNK_SIZE_FIRST;
	uint8_t **chunks = realloc(snapshot->chunks, (snapshot->chunk_count + 1) * sizeof *chunks);

	if (!chunks)
		return false;
	snapshot->chunks = chunks;
	chunks[snapshot->chunk_count] = calloc(1, size);
	if (!chunks[snapshot->chunk_count])
		return false;
	if (!snapshot->chunk_count)
		snapshot->first_size = size;
	snapshot->chunk_count++;
	snapshot->used = 0;
	return true;
}

/* Memory for a record of `size` bytes at the end; `*place` is what the index says of it. */
static struct record *append(struct snapshot *snapshot, size_t size, uint32_t *place)
{
	uint64_t position;

	if (!snapshot->chunk_count || snapshot->used + size > chunk_size(snapshot, snapshot->chunk_count - 1))
		if (!add_chunk(snapshot, size))
			return NULL;
	position = (uint64_t)(snapshot->chunk_count - 1) * CHUNK_SIZE + snapshot->used;
	if (position / RECORD_ALIGNMENT >= UINT32_MAX)
		return NULL;
	*place = (uint32_t)(position / RECORD_ALIGNMENT + 1);
	snapshot->used += size;
	return record_at(snapshot, position);
}

static struct record *put_new(struct snapshot *snapshot, const struct entry *entry, size_t size)
{
	struct record *record;
	uint32_t place;

	if ((snapshot->indexed + 1) * 5 > snapshot->index_size * 4 && !grow_index(snapshot))
		return NULL;
	record = append(snapshot, size, &place);
	if (!record)
		return NULL;
	record_pack(record, entry);
	snapshot->index[find_slot(snapshot, record->name, record->name_length)] = place;
	snapshot->indexed++;
	snapshot->present++;
	return record;
}

/* The same name with other fields: in place if it fits, and what is left of the old memory stays its tail. */
static struct record *put_again(struct snapshot *snapshot, struct record *old, const struct entry *entry,
				size_t size)
{
	uint16_t old_size = old->size;
	struct record *record = old;
	uint32_t place;

	if (size > (size_t)old_size * RECORD_ALIGNMENT) {
		record = append(snapshot, size, &place);
		if (!record)
			return NULL;
		memcpy(record, old, sizeof *record);
		old->dead = true;
		snapshot->index[find_slot(snapshot, old->name, old->name_length)] = place;
		record_pack(record, entry);
	} else {
		record_pack(record, entry);
		memset((uint8_t *)record + size, 0, (size_t)old_size * RECORD_ALIGNMENT - size);
		record->size = old_size;
	}
	snapshot_set_gone(snapshot, record, false);
	return record;
}

struct record *snapshot_put(struct snapshot *snapshot, const struct entry *entry)
{
	size_t size = record_size(entry);
	struct record *old = snapshot_find(snapshot, entry->name);

	return old ? put_again(snapshot, old, entry, size) : put_new(snapshot, entry, size);
}

void snapshot_set_gone(struct snapshot *snapshot, struct record *record, bool gone)
{
	if (record->gone == gone)
		return;
	record->gone = gone;
	snapshot->present += gone ? (size_t)-1 : 1;
}

void snapshot_end(struct snapshot *snapshot, const struct failure *failure)
{
	snapshot->grows = false;
	snapshot->failed = failure != NULL;
	if (failure) {
		snapshot->failure = malloc(sizeof *failure);
		if (snapshot->failure)
			*snapshot->failure = *failure;
	}
	wait_wake_all(&snapshot->waits);
}

bool snapshot_grows(const struct snapshot *snapshot)
{
	return snapshot->grows;
}

const struct failure *snapshot_failure(const struct snapshot *snapshot)
{
	static const struct failure no_memory = {.error = ENOMEM, .words = "out of memory"};

	if (snapshot->failed && !snapshot->failure)
		return &no_memory;
	return snapshot->failure;
}

struct wait_list *snapshot_waits(struct snapshot *snapshot)
{
	return &snapshot->waits;
}
