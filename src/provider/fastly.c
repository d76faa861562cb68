/* Fastly's Secret Store: operations to requests, responses to results (doc/apis.md, Fastly). */
#include <errno.h>
#include <string.h>

#include "provider_internal.h"
#include "sstorefs/name.h"

#define STORES	  "/resources/stores/secret"
#define SECRETS	  STORES "/{store}/secrets"
#define PAGE_SIZE 200

/* Requests */

/* Two words in the place of a store's id in paths are none (doc/apis.md, Fastly 8). */
static bool is_store_id(const char *id)
{
	static const char *const others[] = {"", "client-key", "signing-key"};

	for (size_t i = 0; id && i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(id, others[i]) == 0)
			return false;
	return id != NULL;
}

static int request_page(const struct op_args *args, struct http_request *request)
{
	url_append_number(request, "limit", PAGE_SIZE);
	if (args->cursor)
		url_append_text(request, "cursor", args->cursor);
	return 0;
}

static int request_search(const struct op_args *args, struct http_request *request)
{
	int failed = url_append_name_param(request, "name", args->name);

	return failed ? failed : request_page(args, request);
}

static void write_store(struct body_writer *body, const struct named_body *from)
{
	body_puts(body, "{\"name\":");
	body_json_string(body, buffer_cstr(&from->name), from->name.length);
	body_puts(body, "}");
}

static void write_secret(struct body_writer *body, const struct named_body *from)
{
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

static int build_request(const struct provider *provider, const struct op_args *args,
			 struct http_request *request)
{
	/* Create, replace, or either: three verbs for one body (doc/apis.md, Fastly 2). */
	static const enum http_method methods[] = {
		[PUT_CREATE] = HTTP_POST,
		[PUT_REPLACE] = HTTP_PATCH,
		[PUT_UPSERT] = HTTP_PUT,
	};
	struct service_operation operation = provider->operations[args->operation];

	if (args->store_id && !is_store_id(args->store_id))
		return -EINVAL;
	if (args->operation == OPERATION_PUT_SECRET)
		operation.method = methods[args->mode];
	return request_build(&operation, args, request);
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
	entry->created_at = json_get_time(item, "created_at");
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

/* `recreated` is there where one was replaced, and only there (doc/apis.md, Fastly 2). */
static int put_response(struct response_parser *parser, int failed)
{
	failed = parse_entry_response(parser, failed);
	if (!failed && parser->matched) {
		parser->result->replaced =
			json_is_true(json_object_get(parser->object, "recreated"));
		parser->result->created = !parser->result->replaced;
	}
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

static const struct service_operation operations[OPERATION_COUNT] = {
	[OPERATION_LIST_STORES] = {HTTP_GET, STORES, list_response, .query = request_page},
	[OPERATION_FIND_STORE] = {HTTP_GET, STORES, list_response, .query = request_search},
	[OPERATION_CREATE_STORE] = {HTTP_POST, STORES, parse_entry_response, .write = write_store},
	[OPERATION_DELETE_STORE] = {HTTP_DELETE, STORES "/{store}", parse_deletion_response},
	[OPERATION_LIST_SECRETS] = {HTTP_GET, SECRETS, list_response, .query = request_page},
	[OPERATION_FIND_SECRET] = {HTTP_GET, SECRETS "/{name}", parse_entry_response},
	[OPERATION_PUT_SECRET] = {HTTP_PUT, SECRETS, put_response, .write = write_secret},
	[OPERATION_DELETE_SECRET] = {HTTP_DELETE, SECRETS "/{name}", parse_deletion_response},
	/* No body, but a Content-Type all the same: so it was recorded. */
	[OPERATION_CLIENT_KEY] = {HTTP_POST, STORES "/client-key", client_key_response,
				  .type = TYPE_JSON},
	[OPERATION_SIGNING_KEY] = {HTTP_GET, STORES "/signing-key", signing_key_response},
};

const struct provider provider_fastly = {
	.name = "fastly",
	.endpoint = "https://api.fastly.com",
	.endpoint_variables = PHRASES("FASTLY_API_ENDPOINT", "FASTLY_API_URL"),
	.token_variables = PHRASES("FASTLY_API_TOKEN", "FASTLY_API_KEY"),
	.store_paging = PAGING_CURSOR,
	.secret_paging = PAGING_CURSOR,
	.page_size = PAGE_SIZE,
	.value_bytes_max = 65536,
	.seals = true,
	.gets_store_by_name = true,
	.gets_secret_by_name = true,
	.has_upsert = true,
	.has_create = true,
	.has_replace = true,
	.rate_rules.reads_unmetered = true,
	.name_is_valid = name_is_valid,
	.store_name_is_valid = name_is_valid,
	.authorize = authorize,
	.build_request = build_request,
	.operations = operations,
	.parse_response = response_parse,
	.map_error = fastly_map_error,
	.parse_fields = parse_fields,
	.read_rate_limit = read_rate_limit,
	.request_id_header = "Fastly-Trace-Id",
};
