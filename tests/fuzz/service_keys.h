#pragma once

#include <jansson.h>

#include "sstorefs/provider.h"

/* Made once: signing takes longer than all the rest. */
void model_keys_make(void);

/* The service's response about its keys; owned by the caller. */
json_t *model_client_key(const char *expires_at);
json_t *model_signing_key(void);

/* The hash (service_hash) of the value in a request's body. */
uint64_t model_value(const struct provider *provider, const struct locked *body);
