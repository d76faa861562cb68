#pragma once

#include <jansson.h>

#include "sstorefs/provider.h"

/* Made once: signing takes longer than all the rest. */
void model_keys_make(void);

/* The service's response about its keys; owned by the caller. */
json_t *model_client_key(const char *expires_at);
json_t *model_signing_key(void);
/* The same about the key of a store, which nothing signs: all stores have one, and ids of their
 * own. */
json_t *model_store_key(const char *id);

/* Returns the request's body, of several values the first; owned by the caller. */
json_t *model_body(const struct locked *body);
/* Returns the hash (service_hash) of the value in a request's body; 0: nothing but a key that a
 * response has spoilt can have sealed it. */
uint64_t model_value(const struct provider *provider, const struct locked *body);
