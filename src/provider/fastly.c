/* Fastly's Secret Store: operations to requests, responses to results (doc/apis.md, Fastly). */
#include <errno.h>
#include <string.h>

#include "provider_internal.h"
#include "sstorefs/name.h"

#define STORES	  "/resources/stores/secret"
#define PAGE_SIZE "200"

/* Requests */

/* Two words stand where a store's id stands in paths, and are none (doc/apis.md, Fastly 8). */
static bool is_store_id(const char *id)
{
	static const char *const others[] = {"", "client-key", "signing-key"};
	size_t i;

	for (i = 0; id && i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(id, others[i]) == 0)
			return false;
	return id != NULL;
}

static void request_begin(struct http_request *request, enum http_method method)
{
	request->method = method;
	http_request_header(request, "Accept", "application/json");
	buffer_puts(&request->target, STORES);
}

static int request_store(struct http_request *request, enum http_method method,
			 const char *store_id)
{
	if (!is_store_id(store_id))
		return -EINVAL;
	request_begin(request, method);
	url_append_segment(request, store_id, strlen(store_id));
	return 0;
}

static int request_secret(struct http_request *request, enum http_method method,
			  const struct op_args *args)
{
	int failed = request_store(request, method, args->store_id);

	if (failed)
		return failed;
	buffer_puts(&request->target, "/secrets");
	failed = url_append_name(request, args->name);
	return failed ? failed : request_check(request);
}

static int request_page(struct http_request *request, const struct op_args *args)
{
	url_append_text(request, "limit", PAGE_SIZE);
	if (args->cursor)
		url_append_text(request, "cursor", args->cursor);
	return request_check(request);
}

static int list_stores_request(const struct op_args *args, struct http_request *request)
{
	request_begin(request, HTTP_GET);
	return request_page(request, args);
}

static int find_store_request(const struct op_args *args, struct http_request *request)
{
	int failed;

	request_begin(request, HTTP_GET);
	failed = url_append_name_param(request, "name", args->name);
	return failed ? failed : request_page(request, args);
}

static int list_secrets_request(const struct op_args *args, struct http_request *request)
{
	int failed = request_store(request, HTTP_GET, args->store_id);

	if (failed)
		return failed;
	buffer_puts(&request->target, "/secrets");
	return request_page(request, args);
}

static int find_secret_request(const struct op_args *args, struct http_request *request)
{
	return request_secret(request, HTTP_GET, args);
}

static int delete_secret_request(const struct op_args *args, struct http_request *request)
{
	return request_secret(request, HTTP_DELETE, args);
}

static int delete_store_request(const struct op_args *args, struct http_request *request)
{
	int failed = request_store(request, HTTP_DELETE, args->store_id);

	return failed ? failed : request_check(request);
}

static void write_store(struct body_writer *body, const void *context)
{
	const struct named_body *from = context;

	body_puts(body, "{\"name\":");
	body_json_string(body, buffer_cstr(&from->name), from->name.length);
	body_puts(body, "}");
}

static void write_secret(struct body_writer *body, const void *context)
{
	const struct named_body *from = context;

	body_puts(body, "{\"name\":");
	body_json_string(body, buffer_cstr(&from->name), from->name.length);
	body_puts(body, ",\"secret\":");
	body_base64(body, from->args->value, from->args->value_length);
	if (from->args->client_key) {
		body_puts(body, ",\"client_key\":");
		body_base64(body, from->args->client_key, crypto_box_PUBLICKEYBYTES);
	}
	body_puts(body, "}");
}

static int create_store_request(const struct op_args *args, struct http_request *request)
{
	request_begin(request, HTTP_POST);
	return request_body(request, args, "application/json", write_store);
}

/* Create, replace, or either: three verbs for one body (doc/apis.md, Fastly 2). */
static int put_secret_request(const struct op_args *args, struct http_request *request)
{
	static const enum http_method methods[] = {
		[PUT_CREATE] = HTTP_POST,
		[PUT_REPLACE] = HTTP_PATCH,
		[PUT_UPSERT] = HTTP_PUT,
	};
	int failed = request_store(request, methods[args->mode], args->store_id);

	if (failed)
		return failed;
	buffer_puts(&request->target, "/secrets");
	request->bears_value = !args->client_key;
	return request_body(request, args, "application/json", write_secret);
}

/* No body, but a Content-Type all the same: so it was recorded. */
static int client_key_request(const struct op_args *args, struct http_request *request)
{
	(void)args;
	request_begin(request, HTTP_POST);
	buffer_puts(&request->target, "/client-key");
	request->content_type = "application/json";
	return request_check(request);
}

static int signing_key_request(const struct op_args *args, struct http_request *request)
{
	(void)args;
	request_begin(request, HTTP_GET);
	buffer_puts(&request->target, "/signing-key");
	return request_check(request);
}

/* Responses */

static bool parse_fields(struct response_parser *parser, const json_t *item, struct entry *entry,
			 struct buffer *room)
{
	(void)room;
	entry->id = json_get_string(item, "id");
	if (parser->stores && !is_store_id(entry->id)) {
		parser->result->malformed++;
		return false;
	}
	entry->digest = json_get_string(item, "digest");
	if (entry->digest && !*entry->digest)
		entry->digest = NULL;
	entry->created_at = entry->modified_at = json_get_time(item, "created_at");
	return true;
}

/* The end of a listing is a cursor that is absent, null or empty. Anything else that is no text
 * would lose the rest of it, so it is an error. */
static int read_cursor(struct response_parser *parser)
{
	const json_t *meta = json_object_get(parser->object, "meta");
	const json_t *next = json_object_get(meta, "next_cursor");
	const char *cursor = json_get_string(meta, "next_cursor");

	if (meta && !json_is_object(meta) && !json_is_null(meta))
		return parse_malformed(parser, "\"meta\" is no object");
	if (!cursor && next && !json_is_null(next))
		return parse_malformed(parser, "\"next_cursor\" is no text");
	return parse_cursor(parser, cursor ? cursor : "");
}

static int list_response(struct response_parser *parser, int failed)
{
	const json_t *data = json_object_get(parser->object, "data");

	parser->one_name = parser->args->operation == OPERATION_FIND_STORE;
	if (!failed && !json_is_array(data))
		failed = parse_malformed(parser, "\"data\" is no list");
	if (!failed)
		failed = read_cursor(parser);
	if (!failed)
		failed = parse_entries(parser, data);
	/* With a cursor the filter was overlooked, and the store may be on a later page. */
	if (!failed && parser->one_name && !parser->matched && !parser->result->cursor.length)
		failed = failure_set(parser->failure, ENOENT, "there is no store of this name");
	return failed;
}

/* Believes nothing yet: a key that is none becomes one of a wrong length, which client_key_verify
 * refuses. */
static int client_key_response(struct response_parser *parser, int failed)
{
	struct client_key_response *key = &parser->result->client_key;
	const json_t *object = parser->object;
	/* The documentation calls it otherwise than the service (doc/apis.md, Fastly 7). */
	const json_t *public_key = json_object_get(object, "public_key");
	const char *member = public_key && !json_is_null(public_key) ? "public_key" : "client_key";
	const char *date = http_response_header(parser->response, "Date");

	if (!failed && (!json_object_get(object, member) || !json_object_get(object, "signature")))
		failed = parse_malformed(parser, "without a client key or its signature");
	if (failed)
		return failed;
	memset(key, 0, sizeof(*key));
	key->public_key_length =
		json_get_base64(object, member, key->public_key, sizeof(key->public_key));
	key->signature_length =
		json_get_base64(object, "signature", key->signature, sizeof(key->signature));
	key->expires_at = json_get_time(object, "expires_at");
	key->date = TIME_UNKNOWN;
	if (date)
		time_parse_http(date, &key->date);
	return 0;
}

static int signing_key_response(struct response_parser *parser, int failed)
{
	uint8_t key[sizeof(parser->result->signing_key) + 1];

	if (!failed && !json_get_string(parser->object, "signing_key"))
		failed = parse_malformed(parser, "without a signing key");
	if (failed)
		return failed;
	if (json_get_base64(parser->object, "signing_key", key, sizeof(key)) != sizeof(key) - 1)
		return failure_set(parser->failure, EKEYREJECTED,
				   "the signing key that the service sent is none of 32 bytes");
	memcpy(parser->result->signing_key, key, sizeof(key) - 1);
	return 0;
}

static void read_rate_limit(const struct http_response *response, struct rate_limit *limit)
{
	*limit = (struct rate_limit){.remaining = -1};
	rate_limit_from_retry_after(response, limit);
	rate_limit_from_counters(response, limit, "Fastly-RateLimit-Remaining",
				 "Fastly-RateLimit-Reset");
	/* No Retry-After is documented: what says when a 429 ends is the reset (doc/apis.md, Fastly
	 * 5). */
	if (response->status == 429 && limit->resets_in_ms > limit->wait_ms)
		limit->wait_ms = limit->resets_in_ms;
}

/* The service itself */

/* doc/apis.md, Fastly 6; the length is a guess. */
static bool name_is_valid(const char *displayed)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";

	return name_matches_alphabet(displayed, alphabet);
}

static int authorize(const struct credentials *credentials, struct locked *lines)
{
	return auth_header_append(lines, "Fastly-Key: ", credentials->token);
}

static const char *const endpoint_variables[] = {"FASTLY_API_ENDPOINT", "FASTLY_API_URL", NULL};
static const char *const token_variables[] = {"FASTLY_API_TOKEN", "FASTLY_API_KEY", NULL};

const struct provider provider_fastly = {
	.name = "fastly",
	.endpoint = "https://api.fastly.com",
	.endpoint_variables = endpoint_variables,
	.token_variables = token_variables,
	.store_paging = PAGING_CURSOR,
	.secret_paging = PAGING_CURSOR,
	.page_size = 200,
	.value_bytes_max = 65536,
	.seals = true,
	.gets_store_by_name = true,
	.gets_secret_by_name = true,
	.has_upsert = true,
	.has_create = true,
	.has_replace = true,
	.reads_unmetered = true,
	.name_is_valid = name_is_valid,
	.store_name_is_valid = name_is_valid,
	.authorize = authorize,
	.operations =
		{
			[OPERATION_LIST_STORES] = {list_stores_request, list_response},
			[OPERATION_FIND_STORE] = {find_store_request, list_response},
			[OPERATION_CREATE_STORE] = {create_store_request, parse_entry_response},
			[OPERATION_DELETE_STORE] = {delete_store_request, parse_deletion_response},
			[OPERATION_LIST_SECRETS] = {list_secrets_request, list_response},
			[OPERATION_FIND_SECRET] = {find_secret_request, parse_entry_response},
			[OPERATION_PUT_SECRET] = {put_secret_request, parse_entry_response},
			[OPERATION_DELETE_SECRET] = {delete_secret_request,
						     parse_deletion_response},
			[OPERATION_CLIENT_KEY] = {client_key_request, client_key_response},
			[OPERATION_SIGNING_KEY] = {signing_key_request, signing_key_response},
		},
	.parse_response = response_parse,
	.map_error = fastly_map_error,
	.parse_fields = parse_fields,
	.read_rate_limit = read_rate_limit,
	.request_id_header = "Fastly-Trace-Id",
};
