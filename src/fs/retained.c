/*
 * Retained values: a value just stored under a new name stays in locked memory for some seconds
 * where the service cannot rename it, so that a rename can store it under its real name.
 */
#include "retained.h"
#include "digest.h"
#include "fs_internal.h"
#include "upload.h"

#define RETAINED_MS    10000 /* that a value is retained */
#define RETAINED_MAX   64    /* values at once */
#define RETAINED_SHARE 4     /* at most one part in so many of the locked memory */

static void take_out(struct retained *retained)
{
	struct fs *fs = retained->fs;

	TAILQ_REMOVE(&fs->retained, retained, link);
	retained->link.tqe_prev = NULL;
	fs->retained_count--;
	fs->retained_bytes -= retained->value->bytes.size;
}

static void restart_timer(struct fs *fs);

static void put_in(struct retained *retained)
{
	struct fs *fs = retained->fs;

	TAILQ_INSERT_TAIL(&fs->retained, retained, link);
	fs->retained_count++;
	fs->retained_bytes += retained->value->bytes.size;
	restart_timer(fs);
}

void retained_free(struct retained *retained)
{
	if (!retained)
		return;
	if (retained->link.tqe_prev)
		take_out(retained);
	value_release(retained->value);
	pending_attrs_free(&retained->pending_attrs);
	store_release(retained->store);
	free(retained);
}

static void wipe_expired(struct timer *timer)
{
	struct fs *fs = container_of(timer, struct fs, retained_timer);
	struct retained *retained, *next;
	uint64_t now = loop_now(fs->loop);

	for (retained = TAILQ_FIRST(&fs->retained); retained; retained = next) {
		next = TAILQ_NEXT(retained, link);
		if (retained->ends_at <= now)
			retained_free(retained);
	}
	restart_timer(fs);
}

/* Starts the timer for the value that expires first. Wipes all if it cannot be started. */
static void restart_timer(struct fs *fs)
{
	const struct retained *retained;
	uint64_t first = CLOCK_NEVER;

	TAILQ_FOREACH (retained, &fs->retained, link)
		if (retained->ends_at < first)
			first = retained->ends_at;
	timer_stop(fs->loop, &fs->retained_timer);
	fs->retained_timer.expired = wipe_expired;
	if (first != CLOCK_NEVER && timer_start(fs->loop, &fs->retained_timer, first))
		retained_free_all(fs);
}

static struct retained *find(const struct fs *fs, const struct store *store, const char *name)
{
	struct retained *retained;

	TAILQ_FOREACH (retained, &fs->retained, link)
		if (retained->store == store && !strcmp(retained->name, name))
			return retained;
	return NULL;
}

/* Wipes the oldest value: the pool needs room for a writer. Returns false if there is none. */
static bool reclaim(void *context)
{
	struct fs *fs = context;

	if (TAILQ_EMPTY(&fs->retained))
		return false;
	retained_free(TAILQ_FIRST(&fs->retained));
	return true;
}

void retained_init(struct fs *fs)
{
	TAILQ_INIT(&fs->retained);
	fs->options.pool->reclaim = reclaim;
	fs->options.pool->reclaim_context = fs;
}

void retained_free_all(struct fs *fs)
{
	while (!TAILQ_EMPTY(&fs->retained))
		retained_free(TAILQ_FIRST(&fs->retained));
	timer_stop(fs->loop, &fs->retained_timer);
}

bool retained_forget(struct fs *fs, const struct store *store, const char *name)
{
	struct retained *retained = find(fs, store, name);
	bool was_there = retained != NULL;

	retained_free(retained);
	return was_there;
}

/* Makes room for `size` bytes. Returns false if there is none: while a writer waits for memory,
 * there never is. */
static bool evict_for(struct fs *fs, size_t size)
{
	const struct locked_pool *pool = fs->options.pool;
	size_t most = pool->cap / RETAINED_SHARE;

	if (!TAILQ_EMPTY(&pool->waiting) || size > most)
		return false;
	while (fs->retained_count >= RETAINED_MAX || fs->retained_bytes > most - size)
		retained_free(TAILQ_FIRST(&fs->retained));
	return true;
}

void retained_add(const struct upload *upload, struct pending_attrs *attrs)
{
	struct fs *fs = upload->fs;
	struct retained *retained;
	struct entry_text text;
	const char *digest;

	/* Where values are sealed, src/cache/sealed_cache.c has what a rename needs. */
	if (fs->provider->seals || fs->config->nocreate || fs->stopping || !upload->put.record ||
	    !evict_for(fs, upload->value->bytes.size))
		return;
	digest = record_digest(upload->put.record, &text);
	retained = strlen(digest) < sizeof retained->digest ? calloc(1, sizeof *retained) : NULL;
	if (!retained)
		return;
	retained->fs = fs;
	retained->store = store_reference(upload->put.change.store);
	strcpy(retained->name, upload->name);
	strcpy(retained->digest, digest);
	retained->value = value_reference(upload->value);
	retained->length = upload->put.length;
	retained->ends_at = loop_now(fs->loop) + RETAINED_MS;
	if (attrs) {
		retained->pending_attrs = *attrs;
		*attrs = (struct pending_attrs){0};
	}
	put_in(retained);
}

struct retained *retained_take(struct fs *fs, const struct store *store, const char *name,
			       const struct record *record)
{
	struct retained *retained = find(fs, store, name);
	struct entry_text text;

	if (!retained)
		return NULL;
	if (strcmp(record_digest(record, &text), retained->digest) != 0) {
		/* Another client has replaced it: the retained value is not that of the name. */
		retained_free(retained);
		return NULL;
	}
	take_out(retained);
	return retained;
}

void retained_return(struct retained *retained)
{
	struct fs *fs = retained->fs;

	if (retained->ends_at <= loop_now(fs->loop) || fs->stopping ||
	    !evict_for(fs, retained->value->bytes.size))
		retained_free(retained);
	else
		put_in(retained);
}
