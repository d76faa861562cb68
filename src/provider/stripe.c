/*
 * Stripe's Apps Secret Store: operations to requests, responses to results (doc/apis.md, Stripe).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "provider_internal.h"
#include "sstorefs/name.h"

#define SECRETS	  "/v1/apps/secrets"
#define PAGE_SIZE 100
#define ACCOUNT	  "account"
#define FORM	  "application/x-www-form-urlencoded"
/* The version that doc/apis.md describes: an account's default may be years older, and the keys of
 * an organization have none (doc/apis.md, Stripe 1). */
#define API_VERSION "2026-07-29.dahlia"

/* Requests. None of them has an `expand`: that would bring a value back. */

/* The type of a scope: the account's, or a user's, whose id is a parameter of its own. */
static const char *scope_type(const char *scope)
{
	return strcmp(scope, ACCOUNT) == 0 ? ACCOUNT : "user";
}

static void url_append_scope(struct http_request *request, const char *scope)
{
	const char *type = scope_type(scope);

	url_append_text(request, "scope%5Btype%5D", type);
	if (strcmp(type, ACCOUNT) != 0)
		url_append_text(request, "scope%5Buser%5D", scope);
}

static int request_page(const struct op_args *args, struct http_request *request)
{
	url_append_scope(request, args->store_id);
	url_append_number(request, "limit", PAGE_SIZE);
	if (args->cursor)
		url_append_text(request, "starting_after", args->cursor);
	return 0;
}

static int request_search(const struct op_args *args, struct http_request *request)
{
	url_append_scope(request, args->store_id);
	return url_append_name_param(request, "name", args->name);
}

static void body_text(struct body_writer *body, const char *name, const char *text)
{
	body_param(body, name, text, strlen(text));
}

static void write_name(struct body_writer *body, const struct named_body *from)
{
	const char *scope = from->args->store_id, *type = scope_type(scope);

	body_param(body, "name", buffer_cstr(&from->name), from->name.length);
	body_text(body, "scope[type]", type);
	if (strcmp(type, ACCOUNT) != 0)
		body_text(body, "scope[user]", scope);
}

static void write_secret(struct body_writer *body, const struct named_body *from)
{
	const struct op_args *args = from->args;
	char expires_at[24];

	write_name(body, from);
	body_param(body, "payload", args->value, args->value_length);
	if (args->expires_at == TIME_UNKNOWN)
		return;
	snprintf(expires_at, sizeof(expires_at), "%lld",
		 (long long)(args->expires_at / NANOSECONDS));
	body_text(body, "expires_at", expires_at);
}

static int build_request(const struct provider *provider, const struct op_args *args,
			 struct http_request *request)
{
	const struct service_operation *operation = &provider->operations[args->operation];

	/* There is one verb, which creates or replaces. */
	if (!args->store_id ||
	    (args->operation == OPERATION_PUT_SECRET && args->mode != PUT_UPSERT))
		return -EINVAL;
	http_request_header(request, "Stripe-Version",
			    args->api_version ? args->api_version : API_VERSION);
	if (args->account)
		http_request_header(request, "Stripe-Account", args->account);
	if (args->context)
		http_request_header(request, "Stripe-Context", args->context);
	if (operation->method != HTTP_GET && args->idempotency_key)
		http_request_header(request, "Idempotency-Key", args->idempotency_key);
	return request_build(operation, args, request);
}

/* Responses */

static bool is_deleted(const json_t *item)
{
	return json_is_true(json_object_get(item, "deleted"));
}

static bool parse_fields(struct response_parser *parser, const json_t *item, struct entry *entry,
			 struct buffer *room)
{
	const json_t *livemode = json_object_get(item, "livemode");

	(void)parser;
	(void)room;
	entry->id = json_get_string(item, "id");
	entry->created_at = json_get_epoch(item, "created");
	entry->expires_at = json_get_epoch(item, "expires_at");
	if (entry->expires_at == 0) /* "none", where a language has no null */
		entry->expires_at = TIME_UNKNOWN;
	entry->livemode = json_is_boolean(livemode) ? json_is_true(livemode) : -1;
	return !is_deleted(item);
}

/* The next page begins behind the last secret of this one. Without its id the rest would be lost,
 * so it is an error. */
static int read_cursor(struct response_parser *parser, const json_t *last)
{
	const char *cursor = json_get_string(last, "id");
	const json_t *has_more = json_object_get(parser->object, "has_more");

	if (has_more && !json_is_boolean(has_more) && !json_is_null(has_more))
		return parse_malformed(parser, "\"has_more\" is neither true nor false");
	if (!json_is_true(has_more))
		return parse_cursor(parser, "");
	if (!cursor || !*cursor)
		return parse_malformed(parser, "its last secret has no id, and there are more");
	return parse_cursor(parser, cursor);
}

static int list_response(struct response_parser *parser, int failed)
{
	const json_t *data = json_object_get(parser->object, "data");
	size_t count = json_array_size(data);

	if (!failed && !json_is_array(data))
		failed = parse_malformed(parser, "\"data\" is no list");
	if (!failed)
		failed = read_cursor(parser, count ? json_array_get(data, count - 1) : NULL);
	return failed ? failed : parse_entries(parser, data);
}

static int find_response(struct response_parser *parser, int failed)
{
	if (!failed && is_deleted(parser->object))
		return failure_set(parser->failure, ENOENT, "this secret is deleted");
	return parse_entry_response(parser, failed);
}

/* The whole secret, or no more than its id (doc/apis.md, Stripe 2), or nothing: read none of it. */
static int delete_response(struct response_parser *parser, int failed)
{
	if (failed && response_has_no_content(parser->response))
		return response_reset(parser);
	if (!failed && json_is_false(json_object_get(parser->object, "deleted")))
		return parse_malformed(parser, "the secret is not deleted");
	return failed;
}

/* Its limits are a second's (doc/apis.md, Stripe 4): nothing tells of them but a 429. */
static void read_rate_limit(const struct http_response *response, struct rate_limit *limit)
{
	const char *again = http_response_header(response, "Stripe-Should-Retry");

	rate_limit_from_retry_after(response, limit);
	limit->do_not_retry = again && strcasecmp(again, "false") == 0;
}

/* The service itself */

static bool store_name_is_valid(const char *displayed)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_",
			  user[] = "usr_";
	const char *id = displayed + strlen(user);

	if (strcmp(displayed, ACCOUNT) == 0)
		return true;
	return strncmp(displayed, user, strlen(user)) == 0 && *id && strlen(id) < NAME_LENGTH_MAX &&
	       id[strspn(id, alphabet)] == '\0';
}

static const char *const builtin_stores[] = {ACCOUNT, NULL};

/* sk_live_…, rk_test_…, sk_org_live_… (doc/apis.md, Stripe 1). */
static const char *token_mode(const char *token)
{
	const char *rest = strncmp(token, "sk_", 3) && strncmp(token, "rk_", 3) ? "" : token + 3;

	rest += strncmp(rest, "org_", 4) ? 0 : 4;
	return strncmp(rest, "live_", 5) == 0	? "live"
	       : strncmp(rest, "test_", 5) == 0 ? "test"
						: NULL;
}

static const struct service_operation operations[OPERATION_COUNT] = {
	[OPERATION_LIST_SECRETS] = {HTTP_GET, SECRETS, list_response, .query = request_page},
	[OPERATION_FIND_SECRET] = {HTTP_GET, SECRETS "/find", find_response,
				   .query = request_search},
	[OPERATION_PUT_SECRET] = {HTTP_POST, SECRETS, parse_entry_response, .write = write_secret,
				  .type = FORM},
	[OPERATION_DELETE_SECRET] = {HTTP_POST, SECRETS "/delete", delete_response,
				     .write = write_name, .type = FORM},
};

const struct provider provider_stripe = {
	.token_mode = token_mode,
	.name = "stripe",
	.endpoint = "https://api.stripe.com",
	.endpoint_variables = (const char *const[]){NULL},
	.token_variables = PHRASES("STRIPE_API_KEY", "STRIPE_SECRET_KEY"),
	.store_paging = PAGING_NONE,
	.secret_paging = PAGING_CURSOR,
	.page_size = PAGE_SIZE,
	.value_characters_max = 5000,
	.text_only = true,
	.stores_are_local = true,
	.builtin_stores = builtin_stores,
	.gets_secret_by_name = true,
	.has_upsert = true,
	.has_idempotency_keys = true,
	.quota_is_per_store = true,
	.has_expiry = true,
	/* Anything that can be shown: no alphabet is published, and the limit of 5000 characters is
	 * far (doc/apis.md, Stripe 5). */
	.name_is_valid = name_is_canonical,
	.store_name_is_valid = store_name_is_valid,
	.store_name_rule =
		"a directory here is the scope of a user: name it usr_ and the letters and digits of its id",
	.authorize = authorize_bearer,
	.build_request = build_request,
	.operations = operations,
	.parse_response = response_parse,
	.map_error = stripe_map_error,
	.parse_fields = parse_fields,
	.read_rate_limit = read_rate_limit,
	.request_id_header = "Request-Id",
};
