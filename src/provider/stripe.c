/*
 * Stripe's Apps Secret Store: operations to requests, responses to results (doc/apis.md, Stripe).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "provider_internal.h"
#include "sstorefs/name.h"

#define SECRETS	       "/v1/apps/secrets"
#define PAGE_SIZE      100
#define PAGE_SIZE_TEXT "100"
#define ACCOUNT	       "account"
/* The version that doc/apis.md describes: an account's default may be years older, and the keys of
 * an organization have none (doc/apis.md, Stripe 1). */
#define API_VERSION "2026-07-29.dahlia"

/* Requests. None of them has an `expand`: that would bring a value back. */

static void request_begin(struct http_request *request, enum http_method method,
			  const struct op_args *args, const char *path)
{
	request->method = method;
	http_request_header(request, "Accept", "application/json");
	http_request_header(request, "Stripe-Version",
			    args->api_version ? args->api_version : API_VERSION);
	if (args->account)
		http_request_header(request, "Stripe-Account", args->account);
	if (args->context)
		http_request_header(request, "Stripe-Context", args->context);
	if (method != HTTP_GET && args->idempotency_key)
		http_request_header(request, "Idempotency-Key", args->idempotency_key);
	buffer_puts(&request->target, SECRETS);
	buffer_puts(&request->target, path);
}

/* The scope of a question: two parameters for a user's, one for the account's. */
static void url_append_scope(struct http_request *request, const char *scope)
{
	bool is_account = strcmp(scope, ACCOUNT) == 0;
	const char *type = is_account ? ACCOUNT : "user";

	url_append_text(request, "scope%5Btype%5D", type);
	if (!is_account)
		url_append_text(request, "scope%5Buser%5D", scope);
}

static int list_secrets_request(const struct op_args *args, struct http_request *request)
{
	if (!args->store_id)
		return -EINVAL;
	request_begin(request, HTTP_GET, args, "");
	url_append_scope(request, args->store_id);
	url_append_text(request, "limit", PAGE_SIZE_TEXT);
	if (args->cursor)
		url_append_text(request, "starting_after", args->cursor);
	return request_check(request);
}

static int find_secret_request(const struct op_args *args, struct http_request *request)
{
	int failed;

	if (!args->store_id)
		return -EINVAL;
	request_begin(request, HTTP_GET, args, "/find");
	url_append_scope(request, args->store_id);
	failed = url_append_name_param(request, "name", args->name);
	return failed ? failed : request_check(request);
}

static void write_name(struct body_writer *body, const void *context)
{
	const struct named_body *from = context;
	const char *scope = from->args->store_id;
	bool is_account = strcmp(scope, ACCOUNT) == 0;
	const char *type = is_account ? ACCOUNT : "user";

	body_param(body, "name", buffer_cstr(&from->name), from->name.length);
	body_param(body, "scope[type]", type, strlen(type));
	if (!is_account)
		body_param(body, "scope[user]", scope, strlen(scope));
}

static void write_secret(struct body_writer *body, const void *context)
{
	const struct op_args *args = ((const struct named_body *)context)->args;
	char expires_at[24];

	write_name(body, context);
	body_param(body, "payload", args->value, args->value_length);
	if (args->expires_at == TIME_UNKNOWN)
		return;
	snprintf(expires_at, sizeof(expires_at), "%lld",
		 (long long)(args->expires_at / NANOSECONDS));
	body_param(body, "expires_at", expires_at, strlen(expires_at));
}

static int request_form(struct http_request *request, const struct op_args *args, const char *path,
			void (*write)(struct body_writer *body, const void *context))
{
	if (!args->store_id)
		return -EINVAL;
	request_begin(request, HTTP_POST, args, path);
	return request_body(request, args, "application/x-www-form-urlencoded", write);
}

/* There is one verb, which creates or replaces. */
static int put_secret_request(const struct op_args *args, struct http_request *request)
{
	if (args->mode != PUT_UPSERT)
		return -EINVAL;
	request->bears_value = true;
	return request_form(request, args, "", write_secret);
}

static int delete_secret_request(const struct op_args *args, struct http_request *request)
{
	return request_form(request, args, "/delete", write_name);
}

/* Responses */

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
	return true;
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

/* The whole secret, or no more than its id (doc/apis.md, Stripe 2), or nothing: read none of it. */
static int delete_response(struct response_parser *parser, int failed)
{
	if (failed && response_has_no_content(parser->response))
		return parse_nothing(parser);
	if (!failed && json_is_false(json_object_get(parser->object, "deleted")))
		return parse_malformed(parser, "the secret is not deleted");
	return failed;
}

/* Its limits are a second's (doc/apis.md, Stripe 4): nothing tells of them but a 429. */
static void read_rate_limit(const struct http_response *response, struct rate_limit *limit)
{
	const char *again = http_response_header(response, "Stripe-Should-Retry");

	rate_limit_from_retry_after(response, limit);
	limit->do_not_retry = again && strcmp(again, "false") == 0;
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
	.operations =
		{
			[OPERATION_LIST_SECRETS] = {list_secrets_request, list_response},
			[OPERATION_FIND_SECRET] = {find_secret_request, parse_entry_response},
			[OPERATION_PUT_SECRET] = {put_secret_request, parse_entry_response},
			[OPERATION_DELETE_SECRET] = {delete_secret_request, delete_response},
		},
	.parse_response = response_parse,
	.map_error = stripe_map_error,
	.parse_fields = parse_fields,
	.read_rate_limit = read_rate_limit,
	.request_id_header = "Request-Id",
};
