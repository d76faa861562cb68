/* The tables of providers and of operations. */
#include "sstorefs/provider.h"

#include <string.h>

static const struct provider *const providers[] = {
	&provider_fastly,
	&provider_cloudflare,
	&provider_stripe,
	&provider_github,
};

const struct provider *provider_find(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(providers) / sizeof(providers[0]); i++)
		if (strlen(providers[i]->name) == length &&
		    memcmp(providers[i]->name, name, length) == 0)
			return providers[i];
	return NULL;
}

const struct operation_info api_operations[OPERATION_COUNT] = {
	[OPERATION_LIST_STORES] = {"list_stores", .safe = true},
	[OPERATION_FIND_STORE] = {"find_store", .safe = true, .answers_absence = true},
	[OPERATION_CREATE_STORE] = {"create_store"},
	[OPERATION_DELETE_STORE] = {"delete_store", .idempotent = true},
	[OPERATION_LIST_SECRETS] = {"list_secrets", .safe = true, .answers_absence = true},
	[OPERATION_FIND_SECRET] = {"find_secret", .safe = true, .answers_absence = true},
	[OPERATION_PUT_SECRET] = {"put_secret", .upload = true},
	[OPERATION_UPDATE_SECRET] = {"edit_secret", .idempotent = true},
	[OPERATION_DELETE_SECRET] = {"delete_secret", .idempotent = true},
	[OPERATION_LIST_REPOSITORIES] = {"list_repositories", .safe = true},
	[OPERATION_FIND_REPOSITORY] = {"find_repository", .safe = true, .answers_absence = true},
	[OPERATION_DUPLICATE_SECRET] = {"duplicate_secret"},
	[OPERATION_QUOTA] = {"quota", .safe = true},
	[OPERATION_CLIENT_KEY] = {"client_key", .safe = true, .upload = true},
	[OPERATION_SIGNING_KEY] = {"signing_key", .safe = true},
};

void op_result_free(struct op_result *result)
{
	buffer_finish(&result->cursor);
	buffer_finish(&result->notices);
	buffer_finish(&result->etag);
	memset(result, 0, sizeof(*result));
}
