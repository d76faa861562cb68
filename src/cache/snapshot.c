/*
 * A snapshot: the records of one walk in chunks that never move, with a hash index over their
 * names.
 */
#include "snapshot.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK_SIZE	 (256u << 10)
#define CHUNK_SIZE_FIRST (2u << 10) /* so that a store of few secrets costs little */
#define INDEX_SIZE_FIRST 32
#define MAP_SIZE_MIN	 (128u << 10) /* from here on memory is mapped by itself */
#define SPARSE_MIN	 1024	      /* fewer useless records are never worth a copy */

/* Returns a keyed hash, because names come from outside. One key for the process is enough, and
 * nothing depends on its value. */
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

/*
 * Returns zeroed memory that goes back to the system when it is freed. malloc would keep blocks as
 * large as one that was freed before, and every refresh frees a whole snapshot.
 */
static void *memory_new(size_t size)
{
	void *memory;

	if (size < MAP_SIZE_MIN)
		return calloc(1, size);
	/* cppcheck-suppress invalidFunctionArg ; -1 goes with MAP_ANONYMOUS */
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* cppcheck-suppress memleak ; the caller frees it */
	return memory == MAP_FAILED ? NULL : memory;
}

static void memory_free(void *memory, size_t size)
{
	if (memory && size >= MAP_SIZE_MIN)
		munmap(memory, size);
	else
		free(memory);
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

static size_t chunk_size(const struct snapshot *snapshot, size_t chunk)
{
	return chunk ? CHUNK_SIZE : snapshot->first_size;
}

void snapshot_release(struct snapshot *snapshot)
{
	if (!snapshot || --snapshot->references)
		return;
	for (size_t i = 0; i < snapshot->chunk_count; i++)
		memory_free(snapshot->chunks[i], chunk_size(snapshot, i));
	free(snapshot->chunks);
	memory_free(snapshot->index, snapshot->index_size * sizeof *snapshot->index);
	free(snapshot);
}

static struct record *record_at(const struct snapshot *snapshot, uint64_t position)
{
	return (struct record *)(void *)(snapshot->chunks[position / CHUNK_SIZE] +
					 position % CHUNK_SIZE);
}

/* Returns the slot of `name` in the index: the one that holds it, or the free one for it. */
static size_t find_slot(const struct snapshot *snapshot, const char *name, size_t length)
{
	size_t slot = name_hash(name, length) & (snapshot->index_size - 1);

	while (snapshot->index[slot]) {
		const struct record *record = record_at(
			snapshot, (uint64_t)(snapshot->index[slot] - 1) * RECORD_ALIGNMENT);

		if (record->name_length == length && !memcmp(record->name, name, length))
			break;
		slot = (slot + 1) & (snapshot->index_size - 1);
	}
	return slot;
}

/* Returns the first record of any kind at or after `*position`; NULL at the end. */
static struct record *any_record(const struct snapshot *snapshot, uint64_t *position)
{
	uint64_t at = *position;

	for (uint64_t chunk = at / CHUNK_SIZE; chunk < snapshot->chunk_count;
	     at = ++chunk * CHUNK_SIZE) {
		size_t end = chunk + 1 < snapshot->chunk_count ? chunk_size(snapshot, chunk)
							       : snapshot->used;
		struct record *record;

		if (at % CHUNK_SIZE + sizeof *record > end)
			continue;
		record = record_at(snapshot, at);
		if (!record->size)
			continue;
		*position = at + record_bytes(record);
		return record;
	}
	return NULL;
}

static bool is_of_name(const struct record *record, const char *name)
{
	return !record->superseded && !strcmp(record->name, name);
}

/*
 * Fast path: lookups usually repeat the last name or follow directory order, so try the last hit
 * and its successor before hashing.
 */
static struct record *guess(struct snapshot *snapshot, const char *name)
{
	uint64_t next = snapshot->last_found;
	struct record *record = any_record(snapshot, &next);

	if (record && is_of_name(record, name))
		return record;
	snapshot->last_found = next;
	record = any_record(snapshot, &next);
	return record && is_of_name(record, name) ? record : NULL;
}

struct record *snapshot_find(struct snapshot *snapshot, const char *name)
{
	struct record *record;
	uint64_t position;
	uint32_t place;

	if (!snapshot || !snapshot->index_size)
		return NULL;
	record = guess(snapshot, name);
	if (record)
		return record;
	place = snapshot->index[find_slot(snapshot, name, strlen(name))];
	if (!place)
		return NULL;
	position = (uint64_t)(place - 1) * RECORD_ALIGNMENT;
	snapshot->last_found = position;
	return record_at(snapshot, position);
}

struct record *snapshot_step(const struct snapshot *snapshot, uint64_t *position)
{
	struct record *record;

	do
		record = any_record(snapshot, position);
	while (record && record->superseded);
	return record;
}

const struct record *snapshot_next(const struct snapshot *snapshot, uint64_t *position)
{
	uint64_t at = *position;
	struct record *record;

	/* A record that moved to the end is shown at its old place: directories show each name
	 * exactly once. */
	do
		record = any_record(snapshot, &at);
	while (record && (record->deleted || record->relocated));
	if (record)
		*position = at;
	return record;
}

uint64_t snapshot_align_position(const struct snapshot *snapshot, uint64_t position)
{
	uint64_t at = position / CHUNK_SIZE * CHUNK_SIZE;

	while (at < position && any_record(snapshot, &at))
		;
	return at;
}

static bool grow_index(struct snapshot *snapshot)
{
	size_t size = snapshot->index_size ? snapshot->index_size * 2 : INDEX_SIZE_FIRST;
	uint32_t *index = memory_new(size * sizeof *index);
	struct record *record;
	uint64_t next = 0;

	if (!index)
		return false;
	memory_free(snapshot->index, snapshot->index_size * sizeof *index);
	snapshot->index = index;
	snapshot->index_size = size;
	while ((record = snapshot_step(snapshot, &next))) {
		uint64_t position = next - record_bytes(record);

		index[find_slot(snapshot, record->name, record->name_length)] =
			(uint32_t)(position / RECORD_ALIGNMENT + 1);
	}
	return true;
}

/* Adds zeroed memory: a chunk ends where a record of size 0 would follow. */
static bool add_chunk(struct snapshot *snapshot, size_t wanted)
{
	size_t size =
		snapshot->chunk_count || wanted > CHUNK_SIZE_FIRST ? CHUNK_SIZE : CHUNK_SIZE_FIRST;
	uint8_t **chunks = realloc(snapshot->chunks, (snapshot->chunk_count + 1) * sizeof *chunks);

	if (!chunks)
		return false;
	snapshot->chunks = chunks;
	chunks[snapshot->chunk_count] = memory_new(size);
	if (!chunks[snapshot->chunk_count])
		return false;
	if (!snapshot->chunk_count)
		snapshot->first_size = size;
	snapshot->chunk_count++;
	snapshot->used = 0;
	return true;
}

/* Returns memory for a record of `size` bytes at the end, and in `*place` what the index says of
 * it; NULL when memory ran out. */
static struct record *append(struct snapshot *snapshot, size_t size, uint32_t *place)
{
	uint64_t position;

	if (!snapshot->chunk_count ||
	    snapshot->used + size > chunk_size(snapshot, snapshot->chunk_count - 1))
		if (!add_chunk(snapshot, size))
			return NULL;
	position = (uint64_t)(snapshot->chunk_count - 1) * CHUNK_SIZE + snapshot->used;
	if (position / RECORD_ALIGNMENT >= UINT32_MAX)
		return NULL;
	*place = (uint32_t)(position / RECORD_ALIGNMENT + 1);
	snapshot->used += size;
	return record_at(snapshot, position);
}

static struct record *put_new(struct snapshot *snapshot, const struct record *image)
{
	struct record *record;
	uint32_t place;

	if ((snapshot->indexed + 1) * 5 > snapshot->index_size * 4 && !grow_index(snapshot))
		return NULL;
	record = append(snapshot, record_bytes(image), &place);
	if (!record)
		return NULL;
	memcpy(record, image, record_bytes(image));
	record->superseded = false;
	record->relocated = false;
	snapshot->index[find_slot(snapshot, record->name, record->name_length)] = place;
	snapshot->indexed++;
	snapshot->present += !record->deleted;
	return record;
}

/* Keeps the numbers and flags of a record whose content is replaced. */
static void keep_numbers(struct record *record, const struct record *from)
{
	record->entry_id = from->entry_id;
	record->local_change = from->local_change;
	record->verified_at = from->verified_at;
	record->listing = from->listing;
	record->invalid = from->invalid;
	record->walk_round = from->walk_round;
	record->relocated = from->relocated;
	record->superseded = false;
}

static struct record *put_again(struct snapshot *snapshot, struct record *old,
				const struct record *image)
{
	struct record numbers = *old;
	struct record *record = old;
	uint32_t place;

	if (image->size > old->size) {
		record = append(snapshot, record_bytes(image), &place);
		if (!record)
			return NULL;
		old->superseded = true;
		snapshot->superseded++;
		snapshot->index[find_slot(snapshot, old->name, old->name_length)] = place;
		memcpy(record, image, record_bytes(image));
		keep_numbers(record, &numbers);
		record->relocated = !numbers.deleted;
	} else {
		/* The record keeps all of its old memory, zeroed behind the new content. */
		memcpy(record, image, record_bytes(image));
		memset((uint8_t *)record + record_bytes(image), 0,
		       (size_t)(numbers.size - image->size) * RECORD_ALIGNMENT);
		keep_numbers(record, &numbers);
		record->size = numbers.size;
	}
	record->deleted = numbers.deleted;
	snapshot_set_deleted(snapshot, record, image->deleted);
	return record;
}

struct record *snapshot_put(struct snapshot *snapshot, const struct record *image)
{
	struct record *old = snapshot_find(snapshot, image->name);

	return old ? put_again(snapshot, old, image) : put_new(snapshot, image);
}

void snapshot_set_deleted(struct snapshot *snapshot, struct record *record, bool deleted)
{
	snapshot->present += record->deleted;
	snapshot->present -= deleted;
	record->deleted = deleted;
}

void snapshot_forget_superseded(struct snapshot *snapshot, const char *name)
{
	struct record *record;
	uint64_t position = 0;

	while (snapshot->superseded && (record = any_record(snapshot, &position)))
		if (record->superseded && !strcmp(record->name, name))
			record->entry_id = 0;
}

bool snapshot_needs_compaction(const struct snapshot *snapshot)
{
	return snapshot->indexed - snapshot->present + snapshot->superseded >
	       snapshot->present + SPARSE_MIN;
}

void snapshot_seal(struct snapshot *snapshot, const struct failure *failure)
{
	snapshot->state = failure ? SNAPSHOT_FAILED : SNAPSHOT_SEALED;
	if (failure)
		snapshot->failure = *failure;
}

bool snapshot_is_filling(const struct snapshot *snapshot)
{
	return snapshot->state == SNAPSHOT_FILLING || snapshot->state == SNAPSHOT_STALE;
}

const struct failure *snapshot_failure(const struct snapshot *snapshot)
{
	return snapshot->state == SNAPSHOT_FAILED ? &snapshot->failure : NULL;
}

bool snapshot_is_stale(const struct snapshot *snapshot)
{
	return snapshot->state == SNAPSHOT_STALE;
}

struct wait_list *snapshot_waits(struct snapshot *snapshot)
{
	return &snapshot->waits;
}
