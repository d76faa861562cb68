/*
 * Stripe's Apps Secret Store: operations to requests, responses to results (doc/apis.md, Stripe).
 */
#include <errno.h>
#include <string.h>

#include "provider_internal.h"
#include "sstorefs/name.h"

#define SECRETS	       "/v1/apps/secrets"
#define PAGE_SIZE      100
#define PAGE_SIZE_TEXT "100"
#define ACCOUNT	       "account"

/* Requests. None of them has an `expand`: that would bring a value back. */

static void request_begin(struct http_request *request, enum http_method method,
			  const struct op_args *args, const char *path)
{
	request->method = method;
	http_request_header(request, "Accept", "application/json");
	if (args->account)
		http_request_header(request, "Stripe-Account", args->account);
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

	url_append_param(request, "scope%5Btype%5D", type, strlen(type));
	if (!is_account)
		url_append_param(request, "scope%5Buser%5D", scope, strlen(scope));
}

static int list_secrets_request(const struct op_args *args, struct http_request *request)
{
	if (!args->store_id)
		return -EINVAL;
	request_begin(request, HTTP_GET, args, "");
	url_append_scope(request, args->store_id);
	url_append_param(request, "limit", PAGE_SIZE_TEXT, strlen(PAGE_SIZE_TEXT));
	if (args->cursor)
		url_append_param(request, "starting_after", args->cursor, strlen(args->cursor));
	return request_check(request);
}

static int find_secret_request(const struct op_args *args, struct http_request *request)
{
	struct buffer name = {0};
	int failed = args->store_id ? name_decode(&name, args->name) : -EINVAL;

	if (failed)
		goto out;
	request_begin(request, HTTP_GET, args, "/find");
	url_append_scope(request, args->store_id);
	url_append_param(request, "name", buffer_cstr(&name), name.length);
	failed = request_check(request);
out:
	buffer_finish(&name);
	return failed;
}

/* What the body of a changing request is written from. */
struct named_body {
	const struct op_args *args;
	struct buffer name, expires_at;
};

static void write_name(struct body_writer *body, const struct named_body *from)
{
	const char *scope = from->args->store_id;
	bool is_account = strcmp(scope, ACCOUNT) == 0;
	const char *type = is_account ? ACCOUNT : "user";

	body_param(body, "name", buffer_cstr(&from->name), from->name.length);
	body_param(body, "scope[type]", type, strlen(type));
	if (!is_account)
		body_param(body, "scope[user]", scope, strlen(scope));
}

static void write_deletion(struct body_writer *body, const void *context)
{
	write_name(body, context);
}

static void write_secret(struct body_writer *body, const void *context)
{
	const struct named_body *from = context;

	write_name(body, from);
	body_param(body, "payload", from->args->value, from->args->value_length);
	if (from->expires_at.length > 0)
		body_param(body, "expires_at", buffer_cstr(&from->expires_at),
			   from->expires_at.length);
}

static int request_body(struct http_request *request, const struct op_args *args,
			void (*write)(struct body_writer *body, const void *context))
{
	struct named_body from = {.args = args};
	int failed = args->store_id ? name_decode(&from.name, args->name) : -EINVAL;

	if (failed)
		goto out;
	if (args->operation == OPERATION_PUT_SECRET && args->expires_at != TIME_UNKNOWN)
		buffer_printf(&from.expires_at, "%lld",
			      (long long)(args->expires_at / NANOSECONDS));
	failed = buffer_error(&from.expires_at);
	if (!failed)
		failed = body_build(&request->body, write, &from);
	request->content_type = "application/x-www-form-urlencoded";
out:
	buffer_finish(&from.expires_at);
	buffer_finish(&from.name);
	return failed ? failed : request_check(request);
}

/* There is one verb, which creates or replaces. */
static int put_secret_request(const struct op_args *args, struct http_request *request)
{
	if (args->mode != PUT_UPSERT)
		return -EINVAL;
	request_begin(request, HTTP_POST, args, "");
	request->bears_value = true;
	return request_body(request, args, write_secret);
}

static int delete_secret_request(const struct op_args *args, struct http_request *request)
{
	request_begin(request, HTTP_POST, args, "/delete");
	return request_body(request, args, write_deletion);
}

/* Answers */

/* Returns 0 and what a successful answer has in it; else what stripe_map_error or
 * response_malformed say. */
static int response_read(const struct op_args *args, const struct http_response *response,
			 struct failure *failure, enum retry_hint *retry_hint, json_t **object)
{
	*object = NULL;
	response_init(response, &provider_stripe, failure, retry_hint);
	if (http_status_info(response->status)->errnum != 0)
		return stripe_map_error(args, response, failure, retry_hint);
	*object = response_json(response);
	return *object ? 0 : response_malformed(failure, retry_hint, "not with a JSON object");
}

static bool parse_fields(struct entry_parser *parser, const json_t *item, struct entry *entry,
			 struct buffer *room)
{
	const json_t *livemode = json_object_get(item, "livemode");

	(void)parser;
	(void)room;
	entry->id = json_get_string(item, "id");
	entry->created_at = entry->modified_at = json_get_epoch(item, "created");
	entry->expires_at = json_get_epoch(item, "expires_at");
	if (entry->expires_at == 0) /* "none", where a language has no null */
		entry->expires_at = TIME_UNKNOWN;
	entry->livemode = json_is_boolean(livemode) ? json_is_true(livemode) : -1;
	return true;
}

/* The next page begins behind the last secret of this one, whatever that is. Without its id the
 * rest would be lost, so it is an error. */
static int read_cursor(struct entry_parser *parser, const json_t *object, const json_t *last)
{
	const char *cursor = json_get_string(last, "id");
	const json_t *has_more = json_object_get(object, "has_more");

	buffer_clear(&parser->result->cursor);
	if (has_more && !json_is_boolean(has_more) && !json_is_null(has_more))
		return response_malformed(parser->failure, parser->retry_hint,
					  "\"has_more\" is neither true nor false");
	if (!json_is_true(has_more))
		return 0;
	if (!cursor || !*cursor)
		return response_malformed(parser->failure, parser->retry_hint,
					  "its last secret has no id, and there are more");
	buffer_puts(&parser->result->cursor, cursor);
	if (parser->result->cursor.failed)
		return response_malformed(parser->failure, parser->retry_hint,
					  "there was no memory to read it");
	return 0;
}

static int list_response(const struct op_args *args, const struct http_response *response,
			 struct op_result *result, struct failure *failure,
			 enum retry_hint *retry_hint)
{
	struct entry_parser parser = {.args = args,
				      .result = result,
				      .failure = failure,
				      .retry_hint = retry_hint,
				      .parse_fields = parse_fields};
	json_t *object;
	const json_t *data, *item, *last = NULL;
	size_t i;
	int failed = response_read(args, response, failure, retry_hint, &object);

	data = json_object_get(object, "data");
	if (!failed && !json_is_array(data))
		failed = response_malformed(failure, retry_hint, "\"data\" is no list");
	if (!failed && json_array_size(data) > 0)
		last = json_array_get(data, json_array_size(data) - 1);
	if (!failed)
		failed = read_cursor(&parser, object, last);
	for (i = 0; !failed && (item = json_array_get(data, i)); i++)
		failed = parse_entry(&parser, item);
	json_decref(object);
	return failed;
}

/* The one secret that was asked for or set. */
static int entry_response(const struct op_args *args, const struct http_response *response,
			  struct op_result *result, struct failure *failure,
			  enum retry_hint *retry_hint)
{
	struct entry_parser parser = {.args = args,
				      .result = result,
				      .failure = failure,
				      .retry_hint = retry_hint,
				      .parse_fields = parse_fields};
	json_t *object;
	int failed = response_read(args, response, failure, retry_hint, &object);

	if (!failed)
		failed = parse_single_entry(&parser, object);
	else if (args->operation == OPERATION_PUT_SECRET && response_has_no_content(response))
		failed = response_init(response, &provider_stripe, failure, retry_hint);
	json_decref(object);
	return failed;
}

/* The whole secret, or no more than its id (doc/apis.md, Stripe 2), or nothing: read none of it. */
static int delete_response(const struct op_args *args, const struct http_response *response,
			   struct op_result *result, struct failure *failure,
			   enum retry_hint *retry_hint)
{
	json_t *object;
	int failed = response_read(args, response, failure, retry_hint, &object);

	(void)result;
	if (failed && response_has_no_content(response)) {
		failed = response_init(response, &provider_stripe, failure, retry_hint);
	} else if (!failed && json_is_false(json_object_get(object, "deleted"))) {
		failed = response_malformed(failure, retry_hint, "the secret is not deleted");
	}
	json_decref(object);
	return failed;
}

/* Its limits are a second's (doc/apis.md, Stripe 4): nothing tells of them but a 429. */
static void read_rate_limit(const struct http_response *response, struct rate_limit *limit)
{
	const char *again = http_response_header(response, "Stripe-Should-Retry");

	*limit = (struct rate_limit){.remaining = -1};
	rate_limit_from_retry_after(response, limit);
	limit->do_not_retry = again && strcmp(again, "false") == 0;
}

/* The service itself */

/* Anything that can be shown: no alphabet is published, and the limit of 5000 characters is far
 * (doc/apis.md, Stripe 5). */
static bool name_is_valid(const char *displayed)
{
	return *displayed && name_is_canonical(displayed);
}

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

static int authorize(const struct credentials *credentials, struct locked *lines)
{
	return auth_header_append(lines, "Authorization: Bearer ", credentials->token);
}

static const char *const endpoint_variables[] = {NULL};
static const char *const token_variables[] = {"STRIPE_API_KEY", "STRIPE_SECRET_KEY", NULL};

const struct provider provider_stripe = {
	.name = "stripe",
	.endpoint = "https://api.stripe.com",
	.endpoint_variables = endpoint_variables,
	.token_variables = token_variables,
	.store_paging = PAGING_NONE,
	.secret_paging = PAGING_CURSOR,
	.page_size = PAGE_SIZE,
	.value_characters_max = 5000,
	.text_only = true,
	.stores_are_local = true,
	.builtin_store = ACCOUNT,
	.gets_secret_by_name = true,
	.has_upsert = true,
	.has_idempotency_keys = true,
	.quota_is_per_store = true,
	.has_expiry = true,
	.name_is_valid = name_is_valid,
	.store_name_is_valid = store_name_is_valid,
	.authorize = authorize,
	.operations =
		{
			[OPERATION_LIST_SECRETS] = {list_secrets_request, list_response},
			[OPERATION_FIND_SECRET] = {find_secret_request, entry_response},
			[OPERATION_PUT_SECRET] = {put_secret_request, entry_response},
			[OPERATION_DELETE_SECRET] = {delete_secret_request, delete_response},
		},
	.read_rate_limit = read_rate_limit,
	.request_id_header = "Request-Id",
};
