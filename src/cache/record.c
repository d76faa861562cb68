/* Packs an entry into a few bytes, and unpacks it. */
#include "record.h"

#include <sodium.h>
#include <stddef.h>
#include <string.h>

enum tag {
	TAG_ID = 1,
	TAG_DIGEST_BYTES, /* the 32 bytes behind the canonical base64 of them: what Fastly sends */
	TAG_DIGEST_TEXT,
	TAG_STATUS,
	TAG_SCOPES,
	TAG_COMMENT,
	TAG_VISIBILITY,
	TAG_REPOSITORIES,
	TAG_LIVEMODE,
	TAG_CREATED, /* only where it is not the fixed part's changed_at */
	TAG_MODIFIED,
	TAG_EXPIRES,
};

#define DIGEST_SIZE 32

/* By tag: where an entry has the field, and its size; 0: a text with its NUL, behind two bytes of
 * length. */
static const struct {
	uint8_t offset, size;
} fields[] = {
	[TAG_ID] = {offsetof(struct entry, id), 0},
	[TAG_DIGEST_BYTES] = {offsetof(struct entry, digest), DIGEST_SIZE},
	[TAG_DIGEST_TEXT] = {offsetof(struct entry, digest), 0},
	[TAG_STATUS] = {offsetof(struct entry, status), 0},
	[TAG_SCOPES] = {offsetof(struct entry, scopes), 0},
	[TAG_COMMENT] = {offsetof(struct entry, comment), 0},
	[TAG_VISIBILITY] = {offsetof(struct entry, visibility), 0},
	[TAG_REPOSITORIES] = {offsetof(struct entry, repositories), 0},
	[TAG_LIVEMODE] = {offsetof(struct entry, livemode), 1},
	[TAG_CREATED] = {offsetof(struct entry, created_at), sizeof(wall_time_ns)},
	[TAG_MODIFIED] = {offsetof(struct entry, modified_at), sizeof(wall_time_ns)},
	[TAG_EXPIRES] = {offsetof(struct entry, expires_at), sizeof(wall_time_ns)},
};

/* True if the time is in whole seconds that fit changed_at, and needs no field of its own. */
static bool is_plain_time(wall_time_ns time)
{
	return time > 0 && time % NANOSECONDS == 0 && time / NANOSECONDS <= UINT32_MAX;
}

static bool digest_bytes(const char *digest, uint8_t bytes[static DIGEST_SIZE])
{
	char again[sodium_base64_ENCODED_LEN(DIGEST_SIZE, sodium_base64_VARIANT_ORIGINAL)];
	size_t length;

	if (sodium_base642bin(bytes, DIGEST_SIZE, digest, strlen(digest), NULL, &length, NULL,
			      sodium_base64_VARIANT_ORIGINAL) ||
	    length != DIGEST_SIZE)
		return false;
	return !strcmp(sodium_bin2base64(again, sizeof(again), bytes, DIGEST_SIZE,
					 sodium_base64_VARIANT_ORIGINAL),
		       digest);
}

/* Where the next field is written. All texts at their longest fit a record. */
struct packer {
	uint8_t *at;
};

static void pack_field(struct packer *packer, enum tag tag, const void *data, size_t length)
{
	*packer->at++ = (uint8_t)tag;
	if (!fields[tag].size) {
		*packer->at++ = (uint8_t)(length & 0xff);
		*packer->at++ = (uint8_t)(length >> 8);
	}
	memcpy(packer->at, data, length);
	packer->at += length;
}

/* Packs a text with its NUL, so that pointers into the record are strings. */
static void pack_text(struct packer *packer, enum tag tag, const char *text)
{
	size_t length;

	if (!text)
		return;
	length = strlen(text);
	if (length >= RECORD_TEXT_MAX)
		length = RECORD_TEXT_MAX - 1;
	pack_field(packer, tag, text, length + 1);
	packer->at[-1] = '\0';
}

static void pack_time(struct packer *packer, enum tag tag, wall_time_ns time)
{
	if (time != TIME_UNKNOWN)
		pack_field(packer, tag, &time, sizeof time);
}

static void pack_fields(struct packer *packer, const struct entry *entry)
{
	uint8_t digest[DIGEST_SIZE];
	uint8_t livemode = (uint8_t)entry->livemode;

	pack_text(packer, TAG_ID, entry->id);
	if (entry->digest && digest_bytes(entry->digest, digest))
		pack_field(packer, TAG_DIGEST_BYTES, digest, sizeof digest);
	else
		pack_text(packer, TAG_DIGEST_TEXT, entry->digest);
	pack_text(packer, TAG_STATUS, entry->status);
	pack_text(packer, TAG_SCOPES, entry->scopes);
	pack_text(packer, TAG_COMMENT, entry->comment);
	pack_text(packer, TAG_VISIBILITY, entry->visibility);
	pack_text(packer, TAG_REPOSITORIES, entry->repositories);
	if (entry->livemode >= 0)
		pack_field(packer, TAG_LIVEMODE, &livemode, sizeof livemode);
	if (!is_plain_time(entry->modified_at))
		pack_time(packer, TAG_MODIFIED, entry->modified_at);
	if (entry->created_at != entry->modified_at)
		pack_time(packer, TAG_CREATED, entry->created_at);
	pack_time(packer, TAG_EXPIRES, entry->expires_at);
}

struct record *record_pack(union record_room *room, const struct entry *entry)
{
	struct record *record = &room->record;
	size_t length = entry->name ? strlen(entry->name) : 0;
	struct packer packer = {.at = (uint8_t *)record->name + length + 1};

	if (!length || length > UINT8_MAX)
		return NULL;
	*record = (struct record){.name_length = (uint8_t)length,
				  .expires = entry->expires_at != TIME_UNKNOWN};
	memcpy(record->name, entry->name, length + 1);
	if (is_plain_time(entry->modified_at))
		record->changed_at = (uint32_t)(entry->modified_at / NANOSECONDS);
	else
		record->mtime_has_ns = entry->modified_at != TIME_UNKNOWN;
	pack_fields(&packer, entry);
	while ((size_t)(packer.at - room->bytes) % RECORD_ALIGNMENT)
		*packer.at++ = 0;
	record->size = (uint16_t)((size_t)(packer.at - room->bytes) / RECORD_ALIGNMENT);
	return record;
}

struct record *record_pack_absent(union record_room *room, const char *name)
{
	struct record *record = record_pack(room, &ENTRY_WITH(.name = name));

	if (record)
		record->deleted = true;
	return record;
}

static const uint8_t *content_of(const uint8_t *field)
{
	return field + (fields[field[0]].size ? 1 : 3);
}

static size_t content_size(const uint8_t *field)
{
	uint8_t size = fields[field[0]].size;

	return size ? size : (size_t)(field[1] | field[2] << 8);
}

/* Returns the field after `field`, the first one for NULL; NULL at the end (padding is zero, and no
 * tag is). */
static const uint8_t *next_field(const struct record *record, const uint8_t *field)
{
	const uint8_t *end = (const uint8_t *)record + (size_t)record->size * RECORD_ALIGNMENT;

	field = field ? content_of(field) + content_size(field)
		      : (const uint8_t *)record->name + record->name_length + 1;
	return field < end && field[0] ? field : NULL;
}

static wall_time_ns field_time(const uint8_t *field)
{
	wall_time_ns time;

	memcpy(&time, content_of(field), sizeof time);
	return time;
}

static void unpack_field(const uint8_t *field, struct entry *entry, struct entry_text *text)
{
	const uint8_t *content = content_of(field);
	void *member = (char *)entry + fields[field[0]].offset;

	if (field[0] == TAG_DIGEST_BYTES)
		entry->digest = sodium_bin2base64(text->digest, sizeof(text->digest), content,
						  DIGEST_SIZE, sodium_base64_VARIANT_ORIGINAL);
	else if (field[0] == TAG_LIVEMODE)
		entry->livemode = *content;
	else if (fields[field[0]].size)
		memcpy(member, content, sizeof(wall_time_ns));
	else
		*(const char **)member = (const char *)content;
}

void record_entry(const struct record *record, struct entry *entry, struct entry_text *text)
{
	*entry = ENTRY_WITH(.name = record->name);
	if (record->changed_at)
		entry->modified_at = record->changed_at * NANOSECONDS;
	for (const uint8_t *field = next_field(record, NULL); field;
	     field = next_field(record, field))
		unpack_field(field, entry, text);
	if (entry->created_at == TIME_UNKNOWN)
		entry->created_at = entry->modified_at;
}

/* Returns the field with this tag; NULL: none. */
static const uint8_t *find_field(const struct record *record, enum tag tag)
{
	const uint8_t *field = next_field(record, NULL);

	while (field && field[0] != tag)
		field = next_field(record, field);
	return field;
}

const char *record_id(const struct record *record)
{
	const uint8_t *field = find_field(record, TAG_ID);

	return field ? (const char *)content_of(field) : NULL;
}

wall_time_ns record_changed_at(const struct record *record)
{
	const uint8_t *field = record->mtime_has_ns ? find_field(record, TAG_MODIFIED) : NULL;

	if (field)
		return field_time(field);
	return record->changed_at ? record->changed_at * NANOSECONDS : TIME_UNKNOWN;
}

wall_time_ns record_expires_at(const struct record *record)
{
	const uint8_t *field = record->expires ? find_field(record, TAG_EXPIRES) : NULL;

	return field ? field_time(field) : TIME_UNKNOWN;
}
