/*
 * Retained values: a value just stored under a new name stays in locked memory for some seconds
 * where the service cannot rename it, so that a rename can store it under its real name.
 */
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "file.h"
#include "fs_internal.h"
#include "retained.h"
#include "upload.h"
#include "value.h"

#define RETAINED_MS    10000
#define RETAINED_MAX   64 /* values at once */
#define RETAINED_SHARE 4  /* at most one part in so many of the locked memory */

static void unlink_entry(struct retained *retained)
{
	struct fs *fs = retained->fs;

	*retained->link = retained->next;
	if (retained->next)
		retained->next->link = retained->link;
	else
		fs->last_retained = retained->link;
	retained->link = NULL;
	fs->retained--;
	fs->retained_bytes -= retained->value->bytes.size;
}

static void link_entry(struct retained *retained)
{
	struct fs *fs = retained->fs;

	retained->next = NULL;
	retained->link = fs->last_retained;
	*fs->last_retained = retained;
	fs->last_retained = &retained->next;
	fs->retained++;
	fs->retained_bytes += retained->value->bytes.size;
}

void retained_free(struct retained *retained)
{
	if (!retained)
		return;
	if (retained->link)
		unlink_entry(retained);
	value_release(retained->value);
	pending_attrs_free(&retained->pending_attrs);
	store_release(retained->store);
	free(retained);
}

static void restart_timer(struct fs *fs);

static void wipe_expired(struct timer *timer)
{
	struct fs *fs = container_of(timer, struct fs, retained_timer);
	struct retained *retained = fs->first_retained, *next;
	uint64_t now = loop_now(fs->loop);

	for (; retained; retained = next) {
		next = retained->next;
		if (retained->ends_at <= now)
			retained_free(retained);
	}
	restart_timer(fs);
}

/* What can't be timed is not retained. */
static void restart_timer(struct fs *fs)
{
	uint64_t first = CLOCK_NEVER;

	for (const struct retained *retained = fs->first_retained; retained;
	     retained = retained->next)
		if (retained->ends_at < first)
			first = retained->ends_at;
	timer_stop(fs->loop, &fs->retained_timer);
	fs->retained_timer.expired = wipe_expired;
	if (first != CLOCK_NEVER && timer_start(fs->loop, &fs->retained_timer, first))
		retained_free_all(fs);
}

static struct retained *find(const struct fs *fs, const struct store *store, const char *name)
{
	struct retained *retained = fs->first_retained;

	while (retained && (retained->store != store || strcmp(retained->name, name) != 0))
		retained = retained->next;
	return retained;
}

/* Locked memory is for writers first: the oldest goes as soon as somebody needs room. */
static bool reclaim(void *context)
{
	struct fs *fs = context;

	if (!fs->first_retained)
		return false;
	retained_free(fs->first_retained);
	return true;
}

void retained_init(struct fs *fs)
{
	fs->last_retained = &fs->first_retained;
	fs->options.pool->reclaim = reclaim;
	fs->options.pool->reclaim_context = fs;
}

void retained_free_all(struct fs *fs)
{
	while (fs->first_retained)
		retained_free(fs->first_retained);
	timer_stop(fs->loop, &fs->retained_timer);
}

bool retained_forget(struct fs *fs, const struct store *store, const char *name)
{
	struct retained *retained = find(fs, store, name);
	bool was_there = retained != NULL;

	retained_free(retained);
	return was_there;
}

/* Whether there is room for one more that nobody misses: where writers wait, there is none. */
static bool evict_for(struct fs *fs, size_t size)
{
	const struct locked_pool *pool = fs->options.pool;
	size_t most = pool->cap / RETAINED_SHARE;

	if (!TAILQ_EMPTY(&pool->waiting) || size > most)
		return false;
	while (fs->retained >= RETAINED_MAX || fs->retained_bytes > most - size)
		retained_free(fs->first_retained);
	return true;
}

void retained_add(const struct upload *upload, struct pending_attrs *attrs)
{
	struct fs *fs = upload->fs;
	struct retained *retained;
	struct entry_text text;
	struct entry entry;
	const char *digest;

	/* Fastly's sealed values serve for this, and can't be opened here. */
	if (fs->provider->seals || fs->config->nocreate || fs->stopping || !upload->put.record ||
	    !evict_for(fs, upload->value->bytes.size))
		return;
	record_entry(upload->put.record, &entry, &text);
	digest = entry_digest(&entry, &text);
	retained = strlen(digest) < sizeof retained->digest ? calloc(1, sizeof *retained) : NULL;
	if (!retained)
		return;
	retained->fs = fs;
	retained->store = store_reference(upload->put.change.store);
	strcpy(retained->name, upload->name);
	strcpy(retained->digest, digest);
	retained->value = upload->value;
	retained->value->references++;
	retained->length = upload->put.length;
	retained->ends_at = loop_now(fs->loop) + RETAINED_MS;
	if (attrs) {
		retained->pending_attrs = *attrs;
		*attrs = (struct pending_attrs){0};
	}
	link_entry(retained);
	restart_timer(fs);
}

struct retained *retained_take(struct fs *fs, const struct store *store, const char *name,
			       const struct record *record)
{
	struct retained *retained = find(fs, store, name);
	struct entry_text text;
	struct entry entry;

	if (!retained)
		return NULL;
	record_entry(record, &entry, &text);
	if (strcmp(entry_digest(&entry, &text), retained->digest) != 0) {
		/* Another client has replaced it: what was written here is not what the name stands
		 * for. */
		retained_free(retained);
		return NULL;
	}
	unlink_entry(retained);
	return retained;
}

void retained_return(struct retained *retained)
{
	struct fs *fs = retained->fs;

	if (retained->ends_at <= loop_now(fs->loop) || fs->stopping ||
	    !evict_for(fs, retained->value->bytes.size)) {
		retained_free(retained);
		return;
	}
	link_entry(retained);
	restart_timer(fs);
}
