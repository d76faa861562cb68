/*
 * Builds a put request: the verb, the sealed value, the attributes, and the repositories that may
 * use the secret.
 */
#include "put_request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum put_mode put_verb(const struct put_op *put)
{
	const struct provider *provider = op_provider(&put->change);

	if (provider->writes_by_id)
		return put->change.id[0] && put->mode != PUT_CREATE ? PUT_REPLACE : PUT_CREATE;
	if (put->mode == PUT_CREATE && !provider->has_create)
		return PUT_UPSERT;
	if (put->mode == PUT_REPLACE && !provider->has_replace)
		return PUT_UPSERT;
	return put->mode;
}

bool put_set_audience(struct put_op *put, const struct entry *entry)
{
	const struct catalog_options *options = &op_catalog(&put->change)->options;
	const char *selected = provider_selected(options->provider);
	const char *now = entry->visibility ? entry->visibility : put->visibility;
	const char *repositories = put->repositories, *visibility = put->visibility;

	if (!now && !visibility && !repositories)
		repositories = options->repositories;
	if (repositories)
		visibility = selected;
	if (!visibility)
		visibility = now ? now : options->visibility;
	if (!visibility)
		visibility = *options->provider->visibilities;
	snprintf(put->visibility_sent, sizeof put->visibility_sent, "%s", visibility);
	if (strcmp(visibility, selected) != 0 || (repositories && !*repositories))
		return false;
	put->selection.repositories = repositories;
	return repositories || put->resends || (entry->visibility && !strcmp(now, selected));
}

/* Returns the expiry that was set, else that of the secret that is replaced (a replacement without
 * one would clear it), else that of new secrets. */
static wall_time_ns expiry_of(const struct put_op *put, const struct record *record)
{
	const struct catalog *catalog = op_catalog(&put->change);

	if (put->expiry_is_set)
		return put->expires_at;
	if (record)
		return record_expires_at(record);
	if (!catalog->options.expires)
		return TIME_UNKNOWN;
	return catalog_time(catalog) + (wall_time_ns)catalog->options.expires * NANOSECONDS;
}

void put_set_attributes(const struct put_op *put, const struct record *record, struct op_args *args)
{
	const struct catalog_options *options = &op_catalog(&put->change)->options;
	bool is_new = !record || args->mode == PUT_CREATE;

	args->scopes = put->scopes || !is_new ? put->scopes : options->scopes;
	args->comment = put->comment || !is_new ? put->comment : options->comment;
	args->expires_at = options->provider->has_expiry ? expiry_of(put, record) : TIME_UNKNOWN;
	if (!put->has_audience)
		return;
	args->visibility = put->visibility_sent;
	if (!strcmp(put->visibility_sent, provider_selected(options->provider)))
		args->repository_ids = buffer_cstr(&put->selection.ids);
}

/* Copies the value as it was sealed when it was written last. Returns 0, -EOPNOTSUPP
 * or -ENOMEM. */
static int copy_sealed(struct put_op *put)
{
	const struct catalog *catalog = op_catalog(&put->change);
	const struct sealed_value *kept =
		sealed_cache_find(&catalog->sealed_cache, put->change.store, put->resends,
				  &put->resent_version, loop_now(catalog->loop));

	if (!kept)
		return -EOPNOTSUPP;
	put->sealed = malloc(kept->length);
	if (!put->sealed)
		return -ENOMEM;
	memcpy(put->sealed, kept->sealed, kept->length);
	put->sealed_under = kept->key;
	put->length = kept->length - crypto_box_SEALBYTES;
	return 0;
}

/* Seals the value under the present key. Returns 0 or -ENOMEM. */
static int make_sealed(struct put_op *put)
{
	const struct client_key *key = &client_keys_of(put->change.store)->key;

	put->sealed = malloc(put->length + crypto_box_SEALBYTES);
	if (!put->sealed)
		return -ENOMEM;
	put->sealed_under = *key;
	client_key_seal(key, put->value, put->length, put->sealed);
	op_catalog(&put->change)->counts.sealed_bytes += put->length;
	return 0;
}

int put_seal(struct put_op *put, struct op_args *args)
{
	int failed;

	free(put->sealed);
	put->sealed = NULL;
	failed = put->resends ? copy_sealed(put) : make_sealed(put);
	if (failed)
		return failed;
	args->value = put->sealed;
	args->value_length = put->length + crypto_box_SEALBYTES;
	args->client_key = put->sealed_under.public_key;
	args->client_key_id = put->sealed_under.id;
	return 0;
}

void put_keep_sealed(struct put_op *put)
{
	struct catalog *catalog = op_catalog(&put->change);
	struct entry_version version = {.changed_in = put->stored_in};
	struct entry_text text;
	struct entry entry;

	if (!put->sealed || put->change.failure.errnum)
		return;
	/* A key without an end: the service tells when it is another one. */
	if (op_provider(&put->change)->store_keys)
		put->sealed_under.expires_at = CLOCK_NEVER;
	if (put->record) {
		record_entry(put->record, &entry, &text);
		entry_version(&version, &entry);
	}
	sealed_cache_put(&catalog->sealed_cache, put->change.store, put->change.name, &version,
			 &put->sealed_under, put->sealed, put->length + crypto_box_SEALBYTES,
			 loop_now(catalog->loop));
	put->sealed = NULL;
}
