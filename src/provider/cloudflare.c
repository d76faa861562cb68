/*
 * Cloudflare's Secrets Store: operations to requests, responses to results (doc/apis.md,
 * Cloudflare).
 */
#include <errno.h>
#include <string.h>

#include "provider_internal.h"
#include "sstorefs/name.h"

#define PAGE_SIZE      100
#define PAGE_SIZE_TEXT "100"

/* Requests */

/* An empty one would make another address, and that of all secrets of a store at that. */
static bool is_id(const char *id)
{
	return id && *id;
}

static int request_begin(struct http_request *request, enum http_method method,
			 const struct op_args *args)
{
	if (!is_id(args->account))
		return -EINVAL;
	request->method = method;
	http_request_header(request, "Accept", "application/json");
	buffer_puts(&request->target, "/accounts");
	url_append_segment(request, args->account, strlen(args->account));
	buffer_puts(&request->target, "/secrets_store");
	return 0;
}

static int request_stores(struct http_request *request, enum http_method method,
			  const struct op_args *args)
{
	int failed = request_begin(request, method, args);

	if (!failed)
		buffer_puts(&request->target, "/stores");
	return failed;
}

static int request_store(struct http_request *request, enum http_method method,
			 const struct op_args *args)
{
	int failed = is_id(args->store_id) ? request_stores(request, method, args) : -EINVAL;

	if (!failed)
		url_append_segment(request, args->store_id, strlen(args->store_id));
	return failed;
}

static int request_secrets(struct http_request *request, enum http_method method,
			   const struct op_args *args)
{
	int failed = request_store(request, method, args);

	if (!failed)
		buffer_puts(&request->target, "/secrets");
	return failed;
}

static int request_secret(struct http_request *request, enum http_method method,
			  const struct op_args *args)
{
	int failed = is_id(args->id) ? request_secrets(request, method, args) : -EINVAL;

	if (!failed)
		url_append_segment(request, args->id, strlen(args->id));
	return failed;
}

/* In an order that new secrets don't shift: the default one begins with the newest (doc/apis.md,
 * Cloudflare 4). */
static int request_page(struct http_request *request, const struct op_args *args)
{
	struct buffer number = {0};

	buffer_printf(&number, "%u", args->page ? args->page : 1);
	url_append_param(request, "page", buffer_cstr(&number), number.length);
	url_append_param(request, "per_page", PAGE_SIZE_TEXT, strlen(PAGE_SIZE_TEXT));
	url_append_param(request, "order", "name", strlen("name"));
	url_append_param(request, "direction", "asc", strlen("asc"));
	buffer_finish(&number);
	return request_check(request);
}

/* There is no question for one store by its name: it is in the list. */
static int list_stores_request(const struct op_args *args, struct http_request *request)
{
	int failed = request_stores(request, HTTP_GET, args);

	return failed ? failed : request_page(request, args);
}

static int list_secrets_request(const struct op_args *args, struct http_request *request)
{
	int failed = request_secrets(request, HTTP_GET, args);

	return failed ? failed : request_page(request, args);
}

/* With an id one secret; without it whatever has the name in its name or comment. */
static int find_secret_request(const struct op_args *args, struct http_request *request)
{
	struct buffer name = {0};
	int failed;

	if (args->id) {
		failed = request_secret(request, HTTP_GET, args);
		return failed ? failed : request_check(request);
	}
	failed = name_decode(&name, args->name);
	if (!failed)
		failed = request_secrets(request, HTTP_GET, args);
	if (failed)
		goto out;
	url_append_param(request, "search", buffer_cstr(&name), name.length);
	failed = request_page(request, args);
out:
	buffer_finish(&name);
	return failed;
}

static int delete_store_request(const struct op_args *args, struct http_request *request)
{
	int failed = request_store(request, HTTP_DELETE, args);

	return failed ? failed : request_check(request);
}

static int delete_secret_request(const struct op_args *args, struct http_request *request)
{
	int failed = request_secret(request, HTTP_DELETE, args);

	return failed ? failed : request_check(request);
}

static int quota_request(const struct op_args *args, struct http_request *request)
{
	int failed = request_begin(request, HTTP_GET, args);

	if (!failed)
		buffer_puts(&request->target, "/quota");
	return failed ? failed : request_check(request);
}

static int create_store_request(const struct op_args *args, struct http_request *request)
{
	int failed = request_stores(request, HTTP_POST, args);

	return failed ? failed : cloudflare_build_body(args, request);
}

/* Create by name, or replace by id: there is no verb that does either. */
static int put_secret_request(const struct op_args *args, struct http_request *request)
{
	bool replaces = args->mode == PUT_REPLACE;
	int failed = replaces ? request_secret(request, HTTP_PATCH, args)
			      : request_secrets(request, HTTP_POST, args);

	if (failed)
		return failed;
	request->bears_value = true;
	return cloudflare_build_body(args, request);
}

static int update_secret_request(const struct op_args *args, struct http_request *request)
{
	int failed =
		args->scopes || args->comment ? request_secret(request, HTTP_PATCH, args) : -EINVAL;

	return failed ? failed : cloudflare_build_body(args, request);
}

static int duplicate_secret_request(const struct op_args *args, struct http_request *request)
{
	int failed = request_secret(request, HTTP_POST, args);

	if (failed)
		return failed;
	buffer_puts(&request->target, "/duplicate");
	return cloudflare_build_body(args, request);
}

/* Answers */

/* Returns 0 and what a successful answer has in it; else what cloudflare_map_error or
 * response_malformed say. The envelope has the last word, not the status. */
static int response_read(const struct op_args *args, const struct http_response *response,
			 struct failure *failure, enum retry_hint *retry_hint, json_t **object)
{
	const json_t *success;

	*object = NULL;
	response_init(response, &provider_cloudflare, failure, retry_hint);
	if (http_status_info(response->status)->errnum != 0)
		return cloudflare_map_error(args, response, failure, retry_hint);
	*object = response_json(response);
	success = json_object_get(*object, "success");
	if (!*object)
		return response_malformed(failure, retry_hint, "not with a JSON object");
	if (json_is_false(success))
		return cloudflare_map_error(args, response, failure, retry_hint);
	if (!json_is_true(success))
		return response_malformed(failure, retry_hint,
					  "without saying whether it succeeded");
	return 0;
}

/* `a:b` from an array of texts. Returns NULL where there is none. */
static const char *read_scopes(const json_t *item, struct buffer *scopes)
{
	const json_t *array = json_object_get(item, "scopes"), *scope;
	size_t i;

	for (i = 0; (scope = json_array_get(array, i)); i++) {
		if (!json_is_string(scope))
			continue;
		if (scopes->length > 0)
			buffer_puts(scopes, ":");
		buffer_puts(scopes, json_string_value(scope));
	}
	return scopes->length > 0 ? buffer_cstr(scopes) : NULL;
}

/* What is deleted may be told for a while (doc/apis.md, Cloudflare 6). */
static bool is_deleted(const json_t *item)
{
	const char *status = json_get_string(item, "status");

	return status && strcmp(status, "deleted") == 0;
}

static bool parse_fields(struct entry_parser *parser, const json_t *item, struct entry *entry,
			 struct buffer *room)
{
	const char *comment = json_get_string(item, "comment");

	entry->id = json_get_string(item, "id");
	if (parser->stores && !is_id(entry->id)) {
		parser->result->malformed++;
		return false;
	}
	entry->created_at = json_get_time(item, "created");
	entry->modified_at = json_get_time(item, "modified");
	if (entry->modified_at == TIME_UNKNOWN)
		entry->modified_at = entry->created_at;
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
	const json_t *entries, *info, *item;
	int64_t page_size;
	size_t i;
	int failed = response_read(args, response, failure, retry_hint, &object);

	parser.stores =
		args->operation == OPERATION_LIST_STORES || args->operation == OPERATION_FIND_STORE;
	parser.one_name =
		args->operation == OPERATION_FIND_STORE || args->operation == OPERATION_FIND_SECRET;
	entries = json_object_get(object, "result");
	/* Of a search it tells the whole store's (doc/apis.md, Cloudflare 4); nobody counts then.
	 */
	info = json_object_get(object, "result_info");
	result->total = json_get_int(info, "total_count", -1);
	if (result->total < 0)
		result->total = -1;
	page_size = json_get_int(info, "per_page", 0);
	result->page_size = page_size > 0 && page_size < PAGE_SIZE ? (unsigned)page_size : 0;
	if (!failed && !json_is_array(entries) && !is_empty_list(args, entries, result->total))
		failed = response_malformed(failure, retry_hint, "\"result\" is no list");
	for (i = 0; !failed && (item = json_array_get(entries, i)); i++)
		failed = parse_entry(&parser, item);
	json_decref(object);
	return failed;
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
static int entry_response(const struct op_args *args, const struct http_response *response,
			  struct op_result *result, struct failure *failure,
			  enum retry_hint *retry_hint)
{
	struct entry_parser parser = {.args = args,
				      .result = result,
				      .failure = failure,
				      .retry_hint = retry_hint,
				      .parse_fields = parse_fields};
	bool changes = args->operation != OPERATION_FIND_SECRET;
	json_t *object;
	const json_t *entry;
	int failed = response_read(args, response, failure, retry_hint, &object);

	parser.stores = args->operation == OPERATION_CREATE_STORE;
	entry = json_object_get(object, "result");
	if (json_is_array(entry))
		entry = json_array_get(entry, 0);
	if (failed && changes && response_has_no_content(response)) {
		failed = response_init(response, &provider_cloudflare, failure, retry_hint);
		goto out;
	}
	if (failed || (changes && is_unspecified(entry)))
		goto out;
	if (!changes && is_deleted(entry))
		failed = failure_set(failure, ENOENT, "there is no secret of this id any more");
	else
		failed = parse_single_entry(&parser, entry);
out:
	json_decref(object);
	return failed;
}

static int find_secret_response(const struct op_args *args, const struct http_response *response,
				struct op_result *result, struct failure *failure,
				enum retry_hint *retry_hint)
{
	return args->id ? entry_response(args, response, result, failure, retry_hint)
			: list_response(args, response, result, failure, retry_hint);
}

/* `result` is null, an empty object or the old secret: nothing to be read (doc/apis.md, Cloudflare
 * 7). */
static int delete_response(const struct op_args *args, const struct http_response *response,
			   struct op_result *result, struct failure *failure,
			   enum retry_hint *retry_hint)
{
	json_t *object;
	int failed = response_read(args, response, failure, retry_hint, &object);

	if (failed && http_status_info(response->status)->errnum == 0 &&
	    response_is_blank(response))
		failed = response_init(response, &provider_cloudflare, failure, retry_hint);
	result->deleted_async = !failed && response->status == 202;
	json_decref(object);
	return failed;
}

static int quota_response(const struct op_args *args, const struct http_response *response,
			  struct op_result *result, struct failure *failure,
			  enum retry_hint *retry_hint)
{
	json_t *object;
	const json_t *secrets;
	int failed = response_read(args, response, failure, retry_hint, &object);

	secrets = json_object_get(json_object_get(object, "result"), "secrets");
	result->quota = json_get_int(secrets, "quota", -1);
	result->usage = json_get_int(secrets, "usage", -1);
	if (!failed && (result->quota < 0 || result->usage < 0))
		failed = response_malformed(failure, retry_hint, "without a quota and its usage");
	json_decref(object);
	return failed;
}

static void read_rate_limit(const struct http_response *response, struct rate_limit *limit)
{
	*limit = (struct rate_limit){.remaining = -1};
	rate_limit_from_retry_after(response, limit);
	rate_limit_from_ratelimit(response, limit, "Ratelimit");
	if (response->status != 429)
		return;
	/* Whoever asks too often is locked out until then, whatever else he asks (doc/apis.md,
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

	return *displayed && strlen(displayed) <= NAME_LENGTH_MAX &&
	       displayed[strspn(displayed, alphabet)] == '\0';
}

/* No rule is published. */
static bool store_name_is_valid(const char *displayed)
{
	return *displayed && name_is_canonical(displayed);
}

/* A token, or a person's address with the key. */
static int authorize(const struct credentials *credentials, struct locked *lines)
{
	int failed;

	if (!credentials->email)
		return auth_header_append(lines, "Authorization: Bearer ", credentials->token);
	failed = auth_header_append(lines, "X-Auth-Email: ", credentials->email);
	return failed ? failed : auth_header_append(lines, "X-Auth-Key: ", credentials->token);
}

static const char *const endpoint_variables[] = {"CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_BASE_URL",
						 NULL};
static const char *const token_variables[] = {"CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY", NULL};

const struct provider provider_cloudflare = {
	.name = "cloudflare",
	.endpoint = "https://api.cloudflare.com/client/v4",
	.endpoint_variables = endpoint_variables,
	.token_variables = token_variables,
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
	.has_update = true,
	.has_quota = true,
	.lists_unvalidated_names = true,
	.name_is_valid = name_is_valid,
	.store_name_is_valid = store_name_is_valid,
	.authorize = authorize,
	.operations =
		{
			[OPERATION_LIST_STORES] = {list_stores_request, list_response},
			[OPERATION_FIND_STORE] = {list_stores_request, list_response},
			[OPERATION_CREATE_STORE] = {create_store_request, entry_response},
			[OPERATION_DELETE_STORE] = {delete_store_request, delete_response},
			[OPERATION_LIST_SECRETS] = {list_secrets_request, list_response},
			[OPERATION_FIND_SECRET] = {find_secret_request, find_secret_response},
			[OPERATION_PUT_SECRET] = {put_secret_request, entry_response},
			[OPERATION_UPDATE_SECRET] = {update_secret_request, entry_response},
			[OPERATION_DELETE_SECRET] = {delete_secret_request, delete_response},
			[OPERATION_DUPLICATE_SECRET] = {duplicate_secret_request, entry_response},
			[OPERATION_QUOTA] = {quota_request, quota_response},
		},
	.read_rate_limit = read_rate_limit,
	.request_id_header = "CF-RAY",
};
