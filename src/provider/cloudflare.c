/*
 * Cloudflare's Secrets Store: operations to requests, responses to results (doc/apis.md,
 * Cloudflare).
 */
#include <errno.h>
#include <string.h>

#include "provider_internal.h"
#include "sstorefs/name.h"

#define PAGE_SIZE      100
#define SCOPES_DEFAULT "workers" /* a new secret must have one (doc/apis.md, Cloudflare 6) */

/* Requests */

/* In an order that new secrets don't shift: the default one begins with the newest (doc/apis.md,
 * Cloudflare 4). */
static int request_page(const struct op_args *args, struct http_request *request)
{
	url_append_number(request, "page", args->page ? args->page : 1);
	url_append_number(request, "per_page", PAGE_SIZE);
	url_append_text(request, "order", "name");
	url_append_text(request, "direction", "asc");
	return 0;
}

/* Whatever has the name in its name or comment. */
static int request_search(const struct op_args *args, struct http_request *request)
{
	int failed = url_append_name_param(request, "search", args->name);

	return failed ? failed : request_page(args, request);
}

static void write_scopes(struct body_writer *body, const char *scopes)
{
	const char *between = "";

	/* Nothing between the colons, as a service may list it, is an empty array. */
	body_puts(body, "\"scopes\":[");
	while (*scopes) {
		size_t length = strcspn(scopes, ":");

		if (length > 0) {
			body_puts(body, between);
			body_json_string(body, scopes, length);
			between = ",";
		}
		scopes += length + (scopes[length] == ':');
	}
	body_puts(body, "]");
}

static void write_name(struct body_writer *body, const struct named_body *from)
{
	body_puts(body, "{\"name\":");
	body_json_string(body, buffer_cstr(&from->name), from->name.length);
}

static void write_comment(struct body_writer *body, const char *comment)
{
	body_puts(body, "\"comment\":");
	body_json_string(body, comment, strlen(comment));
}

/* Members that follow others, as a new secret has them. */
static void write_new(struct body_writer *body, const struct op_args *args)
{
	body_puts(body, ",");
	write_scopes(body, args->scopes ? args->scopes : SCOPES_DEFAULT);
	if (args->comment && *args->comment) {
		body_puts(body, ",");
		write_comment(body, args->comment);
	}
}

static void write_store(struct body_writer *body, const struct named_body *from)
{
	write_name(body, from);
	body_puts(body, "}");
}

/* An array of one (doc/apis.md, Cloudflare 3). */
static void write_creation(struct body_writer *body, const struct named_body *from)
{
	body_puts(body, "[");
	write_name(body, from);
	body_puts(body, ",\"value\":");
	body_json_string(body, from->args->value, from->args->value_length);
	write_new(body, from->args);
	body_puts(body, "}]");
}

/* Only what is sent changes. */
static void write_changes(struct body_writer *body, const struct named_body *from)
{
	const struct op_args *args = from->args;
	const char *between = "{";

	if (args->value) {
		body_puts(body, "{\"value\":");
		body_json_string(body, args->value, args->value_length);
		between = ",";
	}
	if (args->scopes) {
		body_puts(body, between);
		write_scopes(body, args->scopes);
		between = ",";
	}
	if (args->comment) {
		body_puts(body, between);
		write_comment(body, args->comment);
	}
	body_puts(body, "}");
}

static void write_duplication(struct body_writer *body, const struct named_body *from)
{
	write_name(body, from);
	write_new(body, from->args);
	body_puts(body, "}");
}

#define STORES	"/accounts/{account}/secrets_store/stores"
#define SECRETS STORES "/{store}/secrets"

static int build_request(const struct provider *provider, const struct op_args *args,
			 struct http_request *request)
{
	/* With an id one secret. There is no verb that creates or replaces. */
	static const struct service_operation find = {HTTP_GET, SECRETS "/{id}"};
	const struct service_operation *operation = &provider->operations[args->operation];

	if (args->operation == OPERATION_UPDATE_SECRET && !args->scopes && !args->comment)
		return -EINVAL;
	if (args->operation == OPERATION_FIND_SECRET && args->id)
		operation = &find;
	if (args->operation == OPERATION_PUT_SECRET && args->mode == PUT_REPLACE)
		operation = &provider->operations[OPERATION_UPDATE_SECRET];
	return request_build(operation, args, request);
}

/* Responses */

/* The envelope has the last word, not the status. */
static int check_success(struct response_parser *parser)
{
	const json_t *success = json_object_get(parser->object, "success");

	if (json_is_false(success))
		return cloudflare_map_error(parser);
	return json_is_true(success)
		       ? 0
		       : parse_malformed(parser, "without saying whether it succeeded");
}

/* `a:b` from an array of texts. Returns NULL where there is none. */
static const char *read_scopes(const json_t *item, struct buffer *scopes)
{
	const json_t *array = json_object_get(item, "scopes"), *scope;

	for (size_t i = 0; (scope = json_array_get(array, i)); i++) {
		if (!json_is_string(scope))
			continue;
		if (scopes->length > 0)
			buffer_puts(scopes, ":");
		buffer_puts(scopes, json_string_value(scope));
	}
	return scopes->length > 0 ? buffer_cstr(scopes) : NULL;
}

/* A deleted secret may be listed for a while (doc/apis.md, Cloudflare 6). */
static bool is_deleted(const json_t *item)
{
	const char *status = json_get_string(item, "status");

	return status && strcmp(status, "deleted") == 0;
}

static bool parse_fields(struct response_parser *parser, const json_t *item, struct entry *entry,
			 struct buffer *room)
{
	const char *comment = json_get_string(item, "comment");

	entry->id = json_get_string(item, "id");
	if (parser->stores && !(entry->id && *entry->id)) {
		parser->result->malformed++;
		return false;
	}
	entry->created_at = json_get_time(item, "created");
	entry->modified_at = json_get_time(item, "modified");
	entry->comment = comment && *comment ? comment : NULL;
	entry->scopes = read_scopes(item, room);
	entry->status = json_get_string(item, "status");
	return parser->stores || !is_deleted(item);
}

/* A list that is null or left out (doc/apis.md, Cloudflare 2) is empty, if the first page doesn't
 * say that there is something. */
static bool is_empty_list(const struct op_args *args, const json_t *entries, int64_t total)
{
	bool is_first = args->operation != OPERATION_FIND_SECRET && args->page <= 1;

	return (!entries || json_is_null(entries)) && !(is_first && total > 0);
}

static int list_response(struct response_parser *parser, int failed)
{
	const json_t *entries = json_object_get(parser->object, "result");
	/* For a search it is the whole store's count (doc/apis.md, Cloudflare 4): ignored. */
	const json_t *info = json_object_get(parser->object, "result_info");
	struct op_result *result = parser->result;

	parser->one_name = parser->args->operation == OPERATION_FIND_STORE ||
			   parser->args->operation == OPERATION_FIND_SECRET;
	result->total = json_get_count(info, "total_count");
	if (!failed && !json_is_array(entries) &&
	    !is_empty_list(parser->args, entries, result->total))
		failed = parse_malformed(parser, "\"result\" is no list");
	return failed ? failed : parse_entries(parser, entries);
}

/* The result of a change that is left out, null, or an object with none of what it should have. */
static bool is_unspecified(const json_t *entry)
{
	return !entry || json_is_null(entry) ||
	       (json_is_object(entry) && !json_object_get(entry, "name"));
}

/*
 * The one store or secret that was asked for, created or changed: an object, or an array of one.
 * That it succeeded is enough where something was changed: the schema lets the service leave out
 * the rest, and it has been seen to answer with an empty object.
 */
static int entry_response(struct response_parser *parser, int failed)
{
	bool changes = parser->args->operation != OPERATION_FIND_SECRET;
	const json_t *entry = json_object_get(parser->object, "result");

	if (json_is_array(entry))
		entry = json_array_get(entry, 0);
	if (failed && changes && response_has_no_content(parser->response))
		return response_reset(parser);
	if (failed || (changes && is_unspecified(entry)))
		return failed;
	if (!changes && is_deleted(entry))
		return failure_set(parser->failure, ENOENT,
				   "there is no secret of this id any more");
	return parse_single_entry(parser, entry);
}

static int find_secret_response(struct response_parser *parser, int failed)
{
	return parser->args->id ? entry_response(parser, failed) : list_response(parser, failed);
}

static int quota_response(struct response_parser *parser, int failed)
{
	const json_t *secrets =
		json_object_get(json_object_get(parser->object, "result"), "secrets");
	struct op_result *result = parser->result;

	result->quota = json_get_int(secrets, "quota", -1);
	result->usage = json_get_int(secrets, "usage", -1);
	if (!failed && (result->quota < 0 || result->usage < 0))
		return parse_malformed(parser, "without a quota and its usage");
	return failed;
}

static void read_rate_limit(const struct http_response *response, struct rate_limit *limit)
{
	rate_limit_from_retry_after(response, limit);
	rate_limit_from_ratelimit(response, limit, "Ratelimit");
	if (response->status != 429)
		return;
	/* A client that asks too often is locked out until then, for all requests (doc/apis.md,
	 * Cloudflare 5). */
	if (limit->resets_in_ms > limit->wait_ms)
		limit->wait_ms = limit->resets_in_ms;
	limit->remaining = 0;
	limit->resets_in_ms = limit->wait_ms;
}

/* The service itself */

/* The alphabet of the service's own client, without what it takes by accident (doc/apis.md,
 * Cloudflare 6); the length is a guess. */
static bool name_is_valid(const char *displayed)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	return name_matches_alphabet(displayed, alphabet);
}

/* A token, or a person's address with the key. */
static int authorize(const struct credentials *credentials, struct locked *lines)
{
	int failed;

	if (!credentials->email)
		return authorize_bearer(credentials, lines);
	failed = auth_header_append(lines, "X-Auth-Email: ", credentials->email);
	return failed ? failed : auth_header_append(lines, "X-Auth-Key: ", credentials->token);
}

static const struct service_operation operations[OPERATION_COUNT] = {
	[OPERATION_LIST_STORES] = {HTTP_GET, STORES, list_response, .query = request_page},
	/* There is no query for one store by its name: it is in the list. */
	[OPERATION_FIND_STORE] = {HTTP_GET, STORES, list_response, .query = request_page},
	[OPERATION_CREATE_STORE] = {HTTP_POST, STORES, entry_response, .write = write_store},
	[OPERATION_DELETE_STORE] = {HTTP_DELETE, STORES "/{store}", parse_deletion_response},
	[OPERATION_LIST_SECRETS] = {HTTP_GET, SECRETS, list_response, .query = request_page},
	[OPERATION_FIND_SECRET] = {HTTP_GET, SECRETS, find_secret_response,
				   .query = request_search},
	[OPERATION_PUT_SECRET] = {HTTP_POST, SECRETS, entry_response, .write = write_creation},
	[OPERATION_UPDATE_SECRET] = {HTTP_PATCH, SECRETS "/{id}", entry_response,
				     .write = write_changes},
	[OPERATION_DELETE_SECRET] = {HTTP_DELETE, SECRETS "/{id}", parse_deletion_response},
	[OPERATION_DUPLICATE_SECRET] = {HTTP_POST, SECRETS "/{id}/duplicate", entry_response,
					.write = write_duplication},
	[OPERATION_QUOTA] = {HTTP_GET, "/accounts/{account}/secrets_store/quota", quota_response},
};

const struct provider provider_cloudflare = {
	.known_scopes = (const char *const[]){"workers", "ai_gateway", "dex", "access",
					      "containers", "websearch", NULL},
	.name = "cloudflare",
	.endpoint = "https://api.cloudflare.com/client/v4",
	.endpoint_variables = PHRASES("CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_BASE_URL"),
	.token_variables = PHRASES("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"),
	.key_variable = "CLOUDFLARE_API_KEY",
	.email_variable = "CLOUDFLARE_EMAIL",
	.store_paging = PAGING_NUMBERED,
	.secret_paging = PAGING_NUMBERED,
	.page_size = PAGE_SIZE,
	.value_bytes_max = 65536,
	.text_only = true,
	.writes_by_id = true,
	.has_create = true,
	.has_replace = true,
	.delete_store_refuses_nonempty = true,
	.has_copy = true,
	.tells_modified_at = true,
	.has_update = true,
	.has_quota = true,
	.lists_unvalidated_names = true,
	.name_is_valid = name_is_valid,
	.store_name_is_valid = name_is_canonical, /* no rule is published */
	.authorize = authorize,
	.build_request = build_request,
	.operations = operations,
	.parse_response = response_parse,
	.map_error = cloudflare_map_error,
	.read_notices = cloudflare_read_notices,
	.check_success = check_success,
	.parse_fields = parse_fields,
	.read_rate_limit = read_rate_limit,
	.request_id_header = "CF-RAY",
};
