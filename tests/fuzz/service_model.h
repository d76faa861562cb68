#pragma once

#include "sstorefs/provider.h"

/*
 * A service as it ought to be: a few stores and secrets, and the answer to each question in its own
 * words. Faults on the way are scripted_transport.c's.
 */
#define SERVICE_STORES	4
#define SERVICE_SECRETS 24

struct service {
	const struct provider *provider;
	struct {
		bool there;
		char name[256];
	} stores[SERVICE_STORES];
	struct {
		bool there;
		unsigned store;
		char name[256]; /* displayed */
		unsigned changes;
		wall_time_ns expires_at;
		uint64_t value; /* its hash */
		char visibility[9];
	} secrets[SERVICE_SECRETS];
	unsigned changes;
	unsigned page; /* entries a page */
};

void service_init(struct service *service, const struct provider *provider);

/* Does what is asked, and answers. `body` is the request's; `etag` is that of what the client has,
 * or NULL. */
void service_answer(struct service *service, const struct op_args *args, const char *etag,
		    const struct locked *body, struct http_response *response);

/* The key that signs client keys, and the hash that `value` of a secret is. */
const uint8_t *service_signing_key(void);
uint64_t service_hash(const void *value, size_t length);

/* The value's hash of what is stored; 0: nothing is. */
uint64_t service_value(const struct service *service, const char *store, const char *name);
