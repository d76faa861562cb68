#pragma once

#include <jansson.h>

#include "service_model.h"

/*
 * What GitHub answers in words that no other service has. The JSON is owned by the caller.
 */

/* Returns the id of a store: a kind, or environments/NAME. */
const char *github_store_id(const char *displayed, char text[static 300]);

/* Returns a page of `count` environments, secrets or repositories; takes `page`. */
json_t *github_page(enum operation operation, json_t *page, size_t count);

json_t *github_secret(const struct service *service, unsigned secret, const char *changed);

/* The repositories that may use a secret, and the one of a name. */
json_t *github_repositories(void);
json_t *github_repository(void);

/* The key of a store; its id is another one after each KEY_USES changes of the service. */
json_t *github_key(const struct service *service, int store);
/* Returns whether the value in the request's body is sealed under the present key of the store. */
bool github_key_is_used(const struct service *service, int store, const struct locked *body);

/* Keeps which repositories may use a secret, as the request's body says. */
void github_keep_visibility(struct service *service, unsigned secret, const struct locked *body);

/* Adds the ETag of a listing; one that `etag` names becomes 304, without a body. */
void github_tag(const struct service *service, const char *etag, struct http_response *response);
