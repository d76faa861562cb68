/* The services' responses without faults: doc/apis.md in a few lines each. The real sandbox is
 * contrib/sandbox. */
#include "service_model.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "byte_source.h"
#include "service_github.h"
#include "service_keys.h"
#include "sstorefs/name.h"

#define BORN INT64_C(1790000000) /* seconds since 1970: when everything was created */

void service_init(struct service *service, const struct provider *provider)
{
	static const char *const names[] = {"prod", "dev"}, *const kinds[] = {"prod", "actions"};
	const char *const *builtin = provider->builtin_stores;

	model_keys_make();
	*service = (struct service){.provider = provider, .page = 3};
	for (unsigned i = 0; i < 2; i++) {
		service->stores[i].there = true;
		strcpy(service->stores[i].name, provider == &provider_stripe
							? (i ? "usr_dev" : "account")
						: provider->stores_are_local ? builtin[i]
						: builtin		     ? kinds[i]
									     : names[i]);
	}
	for (unsigned i = 0; i < 5; i++) {
		service->secrets[i].there = true;
		service->secrets[i].expires_at = TIME_UNKNOWN;
		snprintf(service->secrets[i].name, sizeof service->secrets[i].name, "OLD%u", i);
	}
}

/* --- identifiers */

static const char *store_identifier(const struct service *service, unsigned store,
				    char text[static 300])
{
	if (service->provider->stores_are_local)
		return service->stores[store].name;
	if (service->provider->store_keys)
		return github_store_id(service->stores[store].name, text);
	snprintf(text, 300, service->provider == &provider_fastly ? "%022u" : "%032u", store + 1);
	return text;
}

static int store_of(const struct service *service, const char *id)
{
	char text[300];

	for (unsigned i = 0; id && i < SERVICE_STORES; i++)
		if (service->stores[i].there && !strcmp(store_identifier(service, i, text), id))
			return (int)i;
	return -1;
}

static const char *secret_identifier(const struct service *service, unsigned secret,
				     char text[static 40])
{
	snprintf(text, 40, service->provider == &provider_stripe ? "appsecret_%u" : "%032u",
		 secret + 1);
	return text;
}

/* By the identifier where the service uses it, else by the name. */
static int secret_of(const struct service *service, int store, const struct op_args *args)
{
	char text[40];

	for (unsigned i = 0; i < SERVICE_SECRETS; i++) {
		if (!service->secrets[i].there || (int)service->secrets[i].store != store)
			continue;
		if (args->id ? !strcmp(secret_identifier(service, i, text), args->id)
			     : args->name && !strcmp(service->secrets[i].name, args->name))
			return (int)i;
	}
	return -1;
}

uint64_t service_value(const struct service *service, const char *store, const char *name)
{
	for (unsigned i = 0; i < SERVICE_SECRETS; i++)
		if (service->secrets[i].there && !strcmp(service->secrets[i].name, name) &&
		    !strcmp(service->stores[service->secrets[i].store].name, store))
			return service->secrets[i].value;
	return 0;
}

/* --- answers */

/* The clock moves on by a second with each change. */
static void headers(const struct service *service, struct http_response *response)
{
	time_t now = BORN + service->changes;
	char date[64];

	buffer_puts(&response->headers, "Content-Type: application/json");
	buffer_append(&response->headers, "", 1);
	strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
	buffer_puts(&response->headers, date);
	buffer_append(&response->headers, "", 1);
}

static void answer_json(const struct service *service, struct http_response *response, int status,
			json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	response->status = status;
	headers(service, response);
	if (text)
		buffer_puts(&response->body, text);
	free(text);
	json_decref(json);
}

/* In the envelope where there is one. */
static void response_json(struct service *service, struct http_response *response, int status,
			  json_t *object)
{
	if (service->provider == &provider_cloudflare)
		object = json_pack("{s:b s:[] s:[] s:o}", "success", 1, "errors", "messages",
				   "result", object);
	answer_json(service, response, status, object);
}

static void refuse(struct service *service, struct http_response *response, int status,
		   const char *message)
{
	if (service->provider == &provider_cloudflare)
		answer_json(service, response, status,
			    json_pack("{s:b s:[{s:i s:s}] s:[] s:n}", "success", 0, "errors",
				      "code", 1001, "message", message, "messages", "result"));
	else if (service->provider == &provider_stripe)
		answer_json(service, response, status,
			    json_pack("{s:{s:s s:s}}", "error", "type", "invalid_request_error",
				      "message", message));
	else if (service->provider->store_keys)
		answer_json(service, response, status, json_pack("{s:s}", "message", message));
	else
		answer_json(service, response, status,
			    json_pack("{s:s s:s}", "title", "Bad Request", "detail", message));
}

static const char *moment(unsigned changes, char text[static TIME_TEXT_SIZE])
{
	return time_format((BORN + changes) * NANOSECONDS, text);
}

static json_t *name_json(const char *displayed)
{
	struct buffer raw = {0};
	json_t *json = NULL;

	if (!name_decode(&raw, displayed))
		json = json_stringn(buffer_cstr(&raw), raw.length);
	buffer_finish(&raw);
	return json ? json : json_string("none");
}

static json_t *store_json(const struct service *service, unsigned store)
{
	char text[300], created[TIME_TEXT_SIZE];
	const char *member = service->provider->seals ? "created_at" : "created";

	return json_pack("{s:s s:o s:s}", "id", store_identifier(service, store, text), "name",
			 name_json(service->stores[store].name), member, moment(store, created));
}

static json_t *secret_json(const struct service *service, unsigned secret)
{
	char text[48], changed[TIME_TEXT_SIZE];
	unsigned changes = service->secrets[secret].changes;
	wall_time_ns expires_at = service->secrets[secret].expires_at;
	const char *id = secret_identifier(service, secret, text);
	json_t *name = name_json(service->secrets[secret].name);

	moment(changes, changed);
	if (service->provider->store_keys) {
		json_decref(name);
		return github_secret(service, secret, changed);
	}
	if (service->provider == &provider_fastly) {
		snprintf(text, sizeof text, "%043u=", changes);
		return json_pack("{s:o s:s s:s}", "name", name, "digest", text, "created_at",
				 changed);
	}
	if (service->provider == &provider_cloudflare)
		return json_pack("{s:s s:o s:s s:s s:s s:[s]}", "id", id, "name", name, "created",
				 changed, "modified", changed, "status", "active", "scopes",
				 "workers");
	return json_pack("{s:s s:s s:i s:o s:b s:o}", "id", id, "object", "apps.secret", "created",
			 (int)(BORN + changes), "expires_at",
			 expires_at == TIME_UNKNOWN ? json_null()
						    : json_integer(expires_at / NANOSECONDS),
			 "livemode", 0, "name", name);
}

/* Where the page begins: a cursor is the number of the entry before it. */
static unsigned page_begin(const struct service *service, const struct op_args *args)
{
	const char *cursor = args->cursor;

	if (args->page)
		return (args->page - 1) * service->page;
	while (cursor && *cursor && (*cursor < '0' || *cursor > '9'))
		cursor++;
	return cursor ? (unsigned)strtoul(cursor, NULL, 10) : 0;
}

static void answer_list(struct service *service, const struct op_args *args, json_t *all,
			struct http_response *response)
{
	size_t begin = page_begin(service, args), count = json_array_size(all),
	       end = begin + service->page;
	json_t *page = json_array(), *list;
	char cursor[40];

	for (size_t i = begin; i < end && i < count; i++)
		json_array_append(page, json_array_get(all, i));
	snprintf(cursor, sizeof cursor, "%zu", end);
	if (service->provider == &provider_cloudflare)
		list = json_pack("{s:b s:[] s:[] s:o s:{s:i s:i s:i}}", "success", 1, "errors",
				 "messages", "result", page, "result_info", "page", (int)args->page,
				 "count", (int)json_array_size(page), "total_count", (int)count);
	else if (service->provider == &provider_stripe)
		list = json_pack("{s:s s:b s:o}", "object", "list", "has_more", end < count, "data",
				 page);
	else if (service->provider->store_keys)
		list = github_page(args->operation, page, count);
	else if (end < count)
		list = json_pack("{s:o s:{s:i s:s}}", "data", page, "meta", "limit",
				 (int)service->page, "next_cursor", cursor);
	else
		list = json_pack("{s:o s:{s:i}}", "data", page, "meta", "limit",
				 (int)service->page);
	json_decref(all);
	answer_json(service, response, 200, list);
}

static void list_stores(struct service *service, const struct op_args *args,
			struct http_response *response)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < SERVICE_STORES; i++)
		if (service->stores[i].there &&
		    !provider_has_builtin_store(service->provider, service->stores[i].name) &&
		    (args->operation == OPERATION_LIST_STORES ||
		     service->provider == &provider_cloudflare ||
		     !strcmp(service->stores[i].name, args->name)))
			json_array_append_new(all, store_json(service, i));
	answer_list(service, args, all, response);
}

static void list_secrets(struct service *service, const struct op_args *args, int store,
			 struct http_response *response)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < SERVICE_SECRETS; i++)
		if (service->secrets[i].there && (int)service->secrets[i].store == store &&
		    (args->operation == OPERATION_LIST_SECRETS ||
		     strstr(service->secrets[i].name, args->name)))
			json_array_append_new(all, secret_json(service, i));
	answer_list(service, args, all, response);
}

/* One store by its name, where that is a call of its own (GitHub); of a kind, its secrets. */
static void find_store(struct service *service, const struct op_args *args,
		       struct http_response *response)
{
	for (unsigned i = 0; i < SERVICE_STORES; i++) {
		if (!service->stores[i].there || strcmp(service->stores[i].name, args->name) != 0)
			continue;
		if (provider_has_builtin_store(service->provider, args->name))
			answer_list(service, args, json_array(), response);
		else
			response_json(service, response, 200, store_json(service, i));
		return;
	}
	refuse(service, response, 404, "Not Found");
}

/* --- changes */

static void create_store(struct service *service, const struct op_args *args,
			 struct http_response *response)
{
	for (unsigned i = 0; i < SERVICE_STORES; i++) {
		if (service->stores[i].there)
			continue;
		service->stores[i].there = true;
		snprintf(service->stores[i].name, sizeof service->stores[i].name, "%s", args->name);
		service->changes++;
		response_json(service, response, 201, store_json(service, i));
		return;
	}
	refuse(service, response, 400, "maximum_stores_exceeded");
}

static void answer_deletion(struct service *service, struct http_response *response)
{
	service->changes++;
	if (service->provider->seals) {
		response->status = 204;
		headers(service, response);
	} else if (service->provider == &provider_cloudflare) {
		response_json(service, response, 202, json_null());
	} else {
		answer_json(service, response, 200,
			    json_pack("{s:s s:b}", "object", "apps.secret", "deleted", 1));
	}
}

static void delete_store(struct service *service, int store, struct http_response *response)
{
	for (unsigned i = 0; i < SERVICE_SECRETS; i++)
		if ((int)service->secrets[i].store == store && service->secrets[i].there) {
			/* Others would destroy it: we must have looked. */
			MUST(service->provider->delete_store_refuses_nonempty);
			refuse(service, response, 409, "store_not_empty");
			return;
		}
	service->stores[store].there = false;
	answer_deletion(service, response);
}

static int add_secret(struct service *service, int store, const char *name)
{
	for (unsigned i = 0; i < SERVICE_SECRETS; i++) {
		if (service->secrets[i].there)
			continue;
		service->secrets[i].there = true;
		service->secrets[i].store = (unsigned)store;
		service->secrets[i].expires_at = TIME_UNKNOWN;
		snprintf(service->secrets[i].name, sizeof service->secrets[i].name, "%s", name);
		return (int)i;
	}
	return -1;
}

static void put_secret(struct service *service, const struct op_args *args,
		       const struct locked *body, int store, int secret,
		       struct http_response *response)
{
	bool is_new = secret < 0;
	uint64_t value = model_value(service->provider, body);
	json_t *json;

	if (service->provider->store_keys &&
	    (!value || !github_key_is_used(service, store, body))) {
		refuse(service, response, 422, "improperly encrypted secret");
		return;
	}
	if (args->mode == PUT_CREATE && secret >= 0) {
		refuse(service, response, service->provider == &provider_fastly ? 400 : 409,
		       service->provider == &provider_fastly ? "duplicate: name"
							     : "secret_name_already_exists: NAME");
		return;
	}
	if (args->mode == PUT_REPLACE && secret < 0) {
		refuse(service, response, 404, "secret_not_found");
		return;
	}
	if (secret < 0)
		secret = add_secret(service, store, args->name);
	if (secret < 0) {
		refuse(service, response, 400, "maximum_secrets_exceeded");
		return;
	}
	service->secrets[secret].changes = ++service->changes;
	service->secrets[secret].value = value;
	service->secrets[secret].expires_at = args->expires_at;
	if (service->provider->store_keys) {
		github_keep_visibility(service, (unsigned)secret, body);
		answer_json(service, response, is_new ? 201 : 204, is_new ? json_object() : NULL);
		return;
	}
	json = secret_json(service, (unsigned)secret);
	if (service->provider == &provider_cloudflare && args->mode == PUT_CREATE)
		json = json_pack("[o]", json);
	response_json(service, response, 200, json);
}

static void duplicate_secret(struct service *service, const struct op_args *args, int store,
			     int from, struct http_response *response)
{
	const struct op_args to = {.name = args->name};
	int secret = secret_of(service, store, &to);

	if (secret >= 0) {
		refuse(service, response, 409, "secret_name_already_exists: NAME");
		return;
	}
	secret = add_secret(service, store, args->name);
	if (secret < 0) {
		refuse(service, response, 400, "maximum_secrets_exceeded");
		return;
	}
	service->secrets[secret].value = service->secrets[from].value;
	service->secrets[secret].changes = ++service->changes;
	response_json(service, response, 200, secret_json(service, (unsigned)secret));
}

static void quota(struct service *service, struct http_response *response)
{
	int usage = 0;

	for (unsigned i = 0; i < SERVICE_SECRETS; i++)
		usage += service->secrets[i].there;
	response_json(
		service, response, 200,
		json_pack("{s:{s:i s:i}}", "secrets", "quota", SERVICE_SECRETS, "usage", usage));
}

static void delete_secret(struct service *service, int secret, struct http_response *response)
{
	service->secrets[secret].there = false;
	answer_deletion(service, response);
}

/* What concerns the secrets of one store. */
static void answer_in_store(struct service *service, const struct op_args *args,
			    const struct locked *body, int store, struct http_response *response)
{
	int secret = secret_of(service, store, args);
	bool searches = args->operation == OPERATION_FIND_SECRET &&
			service->provider == &provider_cloudflare && !args->id;

	if (args->operation == OPERATION_LIST_SECRETS || searches)
		list_secrets(service, args, store, response);
	else if (args->operation == OPERATION_DELETE_STORE)
		delete_store(service, store, response);
	else if (args->operation == OPERATION_PUT_SECRET)
		put_secret(service, args, body, store, secret, response);
	else if (args->operation == OPERATION_CLIENT_KEY)
		answer_json(service, response, 200, github_key(service, store));
	else if (secret < 0)
		refuse(service, response, 404, "secret_not_found");
	else if (args->operation == OPERATION_LIST_REPOSITORIES)
		answer_json(service, response, 200, github_repositories());
	else if (args->operation == OPERATION_DELETE_SECRET)
		delete_secret(service, secret, response);
	else if (args->operation == OPERATION_DUPLICATE_SECRET)
		duplicate_secret(service, args, store, secret, response);
	else
		response_json(service, response, 200, secret_json(service, (unsigned)secret));
}

static void answer(struct service *service, const struct op_args *args, const struct locked *body,
		   struct http_response *response)
{
	int store = store_of(service, args->store_id);
	char expires[TIME_TEXT_SIZE];

	if (args->operation == OPERATION_FIND_STORE && service->provider->store_keys)
		find_store(service, args, response);
	else if (args->operation == OPERATION_FIND_REPOSITORY)
		answer_json(service, response, 200, github_repository());
	else if (args->operation == OPERATION_LIST_STORES ||
		 args->operation == OPERATION_FIND_STORE)
		list_stores(service, args, response);
	else if (args->operation == OPERATION_CREATE_STORE)
		create_store(service, args, response);
	else if (args->operation == OPERATION_CLIENT_KEY && !service->provider->store_keys)
		answer_json(service, response, 200, model_client_key(moment(600, expires)));
	else if (args->operation == OPERATION_SIGNING_KEY)
		answer_json(service, response, 200, model_signing_key());
	else if (args->operation == OPERATION_QUOTA)
		quota(service, response);
	else if (store < 0)
		refuse(service, response, 404, "store_not_found");
	else
		answer_in_store(service, args, body, store, response);
}

void service_answer(struct service *service, const struct op_args *args, const char *etag,
		    const struct locked *body, struct http_response *response)
{
	answer(service, args, body, response);
	if (service->provider->store_keys && response->status == 200)
		github_tag(service, etag, response);
}
