/* GitHub's answers without faults: stores with keys, listings with ETags, organizations. */
#include "service_github.h"

#include <stdio.h>
#include <string.h>

#include "byte_source.h"
#include "service_keys.h"
#include "sstorefs/name.h"

#define KEY_USES 6 /* changes until the keys are others */

const char *github_store_id(const char *displayed, char text[static 300])
{
	struct buffer raw = {0};

	if (provider_has_builtin_store(&provider_github, displayed))
		return displayed;
	name_decode(&raw, displayed);
	snprintf(text, 300, "environments/%s", buffer_cstr(&raw));
	buffer_finish(&raw);
	return text;
}

json_t *github_page(enum operation operation, json_t *page, size_t count)
{
	const char *member = operation == OPERATION_LIST_STORES		? "environments"
			     : operation == OPERATION_LIST_REPOSITORIES ? "repositories"
									: "secrets";

	return json_pack("{s:i s:o}", "total_count", (int)count, member, page);
}

json_t *github_secret(const struct service *service, unsigned secret, const char *changed)
{
	json_t *json = json_pack("{s:s s:s s:s}", "name", service->secrets[secret].name,
				 "created_at", changed, "updated_at", changed);
	const char *visibility = service->secrets[secret].visibility;

	if (service->provider->visibilities)
		json_object_set_new(json, "visibility",
				    json_string(*visibility ? visibility : "private"));
	return json;
}

json_t *github_repository(void)
{
	return json_pack("{s:i s:s s:s}", "id", 7, "name", "web", "full_name", "octo-org/web");
}

json_t *github_repositories(void)
{
	return github_page(OPERATION_LIST_REPOSITORIES, json_pack("[o]", github_repository()), 1);
}

static const char *key_id(const struct service *service, int store, char text[static 20])
{
	snprintf(text, 20, "%u%d", 100 + service->changes / KEY_USES, store);
	return text;
}

json_t *github_key(const struct service *service, int store)
{
	char id[20];

	return model_store_key(key_id(service, store, id));
}

bool github_key_is_used(const struct service *service, int store, const struct locked *body)
{
	json_t *json = model_body(body);
	const char *sent = json_string_value(json_object_get(json, "key_id"));
	char id[20];
	bool is_used;

	MUST(sent);
	is_used = !strcmp(sent, key_id(service, store, id));
	json_decref(json);
	return is_used;
}

void github_keep_visibility(struct service *service, unsigned secret, const struct locked *body)
{
	char *kept = service->secrets[secret].visibility;
	json_t *json = model_body(body);
	const char *sent = json_string_value(json_object_get(json, "visibility"));

	/* Each put says it. */
	MUST(!service->provider->visibilities == !sent);
	snprintf(kept, sizeof service->secrets[secret].visibility, "%s", sent ? sent : "");
	json_decref(json);
}

/* It is another one after each change, whatever is listed. */
void github_tag(const struct service *service, const char *etag, struct http_response *response)
{
	char tag[32];

	snprintf(tag, sizeof tag, "W/\"%u\"", service->changes);
	if (etag && !strcmp(etag, tag)) {
		response->status = 304;
		buffer_clear(&response->body);
	}
	buffer_printf(&response->headers, "ETag: %s", tag);
	buffer_append(&response->headers, "", 1);
}
