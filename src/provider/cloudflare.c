/* Cloudflare's Secrets Store: operation to request, answer to result (API-FACTS 2 and 6). What its refusals mean is cloudflare_errors.c's. */
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

static int request_begin(struct http_request *request, enum http_method method, const struct ask *ask)
{
	if (!is_id(ask->account))
		return -EINVAL;
	request->method = method;
	http_request_header(request, "Accept", "application/json");
	buffer_string(&request->target, "/accounts");
	target_segment(request, ask->account, strlen(ask->account));
	buffer_string(&request->target, "/secrets_store");
	return 0;
}

static int request_stores(struct http_request *request, enum http_method method, const struct ask *ask)
{
	int failed = request_begin(request, method, ask);

	if (!failed)
		buffer_string(&request->target, "/stores");
	return failed;
}

static int request_store(struct http_request *request, enum http_method method, const struct ask *ask)
{
	int failed = is_id(ask->store_id) ? request_stores(request, method, ask) : -EINVAL;

	if (!failed)
		target_segment(request, ask->store_id, strlen(ask->store_id));
	return failed;
}

static int request_secrets(struct http_request *request, enum http_method method, const struct ask *ask)
{
	int failed = request_store(request, method, ask);

	if (!failed)
		buffer_string(&request->target, "/secrets");
	return failed;
}

static int request_secret(struct http_request *request, enum http_method method, const struct ask *ask)
{
	int failed = is_id(ask->id) ? request_secrets(request, method, ask) : -EINVAL;

	if (!failed)
		target_segment(request, ask->id, strlen(ask->id));
	return failed;
}

/* In an order that new secrets don't shift: the default one begins with the newest (API-FACTS 2.4). */
static int request_page(struct http_request *request, const struct ask *ask)
{
	struct buffer number = {0};

	buffer_printf(&number, "%u", ask->page ? ask->page : 1);
	target_parameter(request, "page", buffer_text(&number), number.length);
	target_parameter(request, "per_page", PAGE_SIZE_TEXT, strlen(PAGE_SIZE_TEXT));
	target_parameter(request, "order", "name", strlen("name"));
	target_parameter(request, "direction", "asc", strlen("asc"));
	buffer_finish(&number);
	return request_end(request);
}

/* There is no question for one store by its name: it is in the list. */
static int list_stores_ask(const struct ask *ask, struct http_request *request)
{
	int failed = request_stores(request, HTTP_GET, ask);

	return failed ? failed : request_page(request, ask);
}

static int list_secrets_ask(const struct ask *ask, struct http_request *request)
{
	int failed = request_secrets(request, HTTP_GET, ask);

	return failed ? failed : request_page(request, ask);
}

/* With an id one secret; without it whatever has the name in its name or comment. */
static int find_secret_ask(const struct ask *ask, struct http_request *request)
{
	struct buffer name = {0};
	int failed;

	if (ask->id) {
		failed = request_secret(request, HTTP_GET, ask);
		return failed ? failed : request_end(request);
	}
	failed = name_decode(&name, ask->name);
	if (!failed)
		failed = request_secrets(request, HTTP_GET, ask);
	if (failed)
		goto out;
	target_parameter(request, "search", buffer_text(&name), name.length);
	failed = request_page(request, ask);
out:
	buffer_finish(&name);
	return failed;
}

static int delete_store_ask(const struct ask *ask, struct http_request *request)
{
	int failed = request_store(request, HTTP_DELETE, ask);

	return failed ? failed : request_end(request);
}

static int delete_secret_ask(const struct ask *ask, struct http_request *request)
{
	int failed = request_secret(request, HTTP_DELETE, ask);

	return failed ? failed : request_end(request);
}

static int quota_ask(const struct ask *ask, struct http_request *request)
{
	int failed = request_begin(request, HTTP_GET, ask);

	if (!failed)
		buffer_string(&request->target, "/quota");
	return failed ? failed : request_end(request);
}

static int create_store_ask(const struct ask *ask, struct http_request *request)
{
	int failed = request_stores(request, HTTP_POST, ask);

	return failed ? failed : cloudflare_body(ask, request);
}

/* Create by name, or replace by id: there is no verb that does either. */
static int put_secret_ask(const struct ask *ask, struct http_request *request)
{
	bool replaces = ask->mode == PUT_REPLACE;
	int failed = replaces ? request_secret(request, HTTP_PATCH, ask)
			      : request_secrets(request, HTTP_POST, ask);

	if (failed)
		return failed;
	request->bears_value = true;
	return cloudflare_body(ask, request);
}

static int edit_secret_ask(const struct ask *ask, struct http_request *request)
{
	int failed = ask->scopes || ask->comment ? request_secret(request, HTTP_PATCH, ask) : -EINVAL;

	return failed ? failed : cloudflare_body(ask, request);
}

static int duplicate_secret_ask(const struct ask *ask, struct http_request *request)
{
	int failed = request_secret(request, HTTP_POST, ask);

	if (failed)
		return failed;
	buffer_string(&request->target, "/duplicate");
	return cloudflare_body(ask, request);
}

/* Answers */

/* Returns 0 and what a successful answer has in it; else what cloudflare_refusal or answer_nonsense say. The envelope has the last word, not
 * the status. */
static int answer_read(const struct ask *ask, const struct http_answer *answer, struct failure *failure,
		       enum remedy *remedy, json_t **object)
{
	const json_t *success;

	*object = NULL;
	answer_begin(answer, &provider_cloudflare, failure, remedy);
	if (status_meaning(answer->status)->error != 0)
		return cloudflare_refusal(ask, answer, failure, remedy);
	*object = answer_object(answer);
	success = json_object_get(*object, "success");
	if (!*object)
		return answer_nonsense(failure, remedy, "not with a JSON object");
	if (json_is_false(success))
		return cloudflare_refusal(ask, answer, failure, remedy);
	if (!json_is_true(success))
		return answer_nonsense(failure, remedy, "without saying whether it succeeded");
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
			buffer_string(scopes, ":");
		buffer_string(scopes, json_string_value(scope));
	}
	return scopes->length > 0 ? buffer_text(scopes) : NULL;
}

/* What is deleted may be told for a while (API-FACTS 2.6). */
static bool is_deleted(const json_t *item)
{
	const char *status = member_text(item, "status");

	return status && strcmp(status, "deleted") == 0;
}

static bool read_fields(struct reading *reading, const json_t *item, struct entry *entry, struct buffer *room)
{
	const char *comment = member_text(item, "comment");

	entry->id = member_text(item, "id");
	if (reading->stores && !is_id(entry->id)) {
		reading->result->malformed++;
		return false;
	}
	entry->created_at = member_time(item, "created");
	entry->modified_at = member_time(item, "modified");
	if (entry->modified_at == TIME_UNKNOWN)
		entry->modified_at = entry->created_at;
	entry->comment = comment && *comment ? comment : NULL;
	entry->scopes = read_scopes(item, room);
	entry->status = member_text(item, "status");
	return reading->stores || !is_deleted(item);
}

/* A list that is null or left out (API-FACTS 6.4) is empty, if the first page doesn't say that there is something. */
static bool is_empty_list(const struct ask *ask, const json_t *entries, int64_t total)
{
	bool is_first = ask->operation != OPERATION_FIND_SECRET && ask->page <= 1;

	return (!entries || json_is_null(entries)) && !(is_first && total > 0);
}

static int list_answer(const struct ask *ask, const struct http_answer *answer, struct result *result,
		       struct failure *failure, enum remedy *remedy)
{
	struct reading reading = {
		.ask = ask, .result = result, .failure = failure, .remedy = remedy, .fields = read_fields};
	json_t *object;
	const json_t *entries, *info, *item;
	int64_t page_size;
	size_t i;
	int failed = answer_read(ask, answer, failure, remedy, &object);

	reading.stores = ask->operation == OPERATION_LIST_STORES || ask->operation == OPERATION_FIND_STORE;
	reading.one_name = ask->operation == OPERATION_FIND_STORE || ask->operation == OPERATION_FIND_SECRET;
	entries = json_object_get(object, "result");
	/* Of a search it tells the whole store's (API-FACTS 2.4); nobody counts then. */
	info = json_object_get(object, "result_info");
	result->total = member_integer(info, "total_count", -1);
	if (result->total < 0)
		result->total = -1;
	page_size = member_integer(info, "per_page", 0);
	result->page_size = page_size > 0 && page_size < PAGE_SIZE ? (unsigned)page_size : 0;
	if (!failed && !json_is_array(entries) && !is_empty_list(ask, entries, result->total))
		failed = answer_nonsense(failure, remedy, "\"result\" is no list");
	for (i = 0; !failed && (item = json_array_get(entries, i)); i++)
		failed = reading_take(&reading, item);
	json_decref(object);
	return failed;
}

/* The result of a change that is left out, null, or an object with none of what it should have. */
static bool says_nothing(const json_t *entry)
{
	return !entry || json_is_null(entry) || (json_is_object(entry) && !json_object_get(entry, "name"));
}

/*
 * The one store or secret that was asked for, created or changed: an object, or an array of one. That it succeeded is enough where something
 * was changed: the schema lets the service leave out the rest, and it has been seen to answer with an empty object.
 */
static int entry_answer(const struct ask *ask, const struct http_answer *answer, struct result *result,
			struct failure *failure, enum remedy *remedy)
{
	struct reading reading = {
		.ask = ask, .result = result, .failure = failure, .remedy = remedy, .fields = read_fields};
	bool changes = ask->operation != OPERATION_FIND_SECRET;
	json_t *object;
	const json_t *entry;
	int failed = answer_read(ask, answer, failure, remedy, &object);

	reading.stores = ask->operation == OPERATION_CREATE_STORE;
	entry = json_object_get(object, "result");
	if (json_is_array(entry))
		entry = json_array_get(entry, 0);
	if (failed && changes && answer_has_no_content(answer)) {
		failed = answer_begin(answer, &provider_cloudflare, failure, remedy);
		goto out;
	}
	if (failed || (changes && says_nothing(entry)))
		goto out;
	if (!changes && is_deleted(entry))
		failed = failure_set(failure, ENOENT, "there is no secret of this id any more");
	else
		failed = reading_take_only(&reading, entry);
out:
	json_decref(object);
	return failed;
}

static int find_secret_answer(const struct ask *ask, const struct http_answer *answer, struct result *result,
			      struct failure *failure, enum remedy *remedy)
{
	return ask->id ? entry_answer(ask, answer, result, failure, remedy)
		       : list_answer(ask, answer, result, failure, remedy);
}

/* `result` is null, an empty object or the old secret: nothing to be read (API-FACTS 2.7). */
static int delete_answer(const struct ask *ask, const struct http_answer *answer, struct result *result,
			 struct failure *failure, enum remedy *remedy)
{
	json_t *object;
	int failed = answer_read(ask, answer, failure, remedy, &object);

	if (failed && status_meaning(answer->status)->error == 0 && answer_is_blank(answer))
		failed = answer_begin(answer, &provider_cloudflare, failure, remedy);
	result->deleted_async = !failed && answer->status == 202;
	json_decref(object);
	return failed;
}

static int quota_answer(const struct ask *ask, const struct http_answer *answer, struct result *result,
			struct failure *failure, enum remedy *remedy)
{
	json_t *object;
	const json_t *secrets;
	int failed = answer_read(ask, answer, failure, remedy, &object);

	secrets = json_object_get(json_object_get(object, "result"), "secrets");
	result->quota = member_integer(secrets, "quota", -1);
	result->usage = member_integer(secrets, "usage", -1);
	if (!failed && (result->quota < 0 || result->usage < 0))
		failed = answer_nonsense(failure, remedy, "without a quota and its usage");
	json_decref(object);
	return failed;
}

static void read_patience(const struct http_answer *answer, struct patience *patience)
{
	*patience = (struct patience){.remaining = -1};
	patience_retry_after(answer, patience);
	patience_ratelimit(answer, patience, "Ratelimit");
	if (answer->status != 429)
		return;
	/* Whoever asks too often is locked out until then, whatever else he asks (API-FACTS 2.5). */
	if (patience->resets_in_ms > patience->wait_ms)
		patience->wait_ms = patience->resets_in_ms;
	patience->remaining = 0;
	patience->resets_in_ms = patience->wait_ms;
}

/* The service itself */

/* The alphabet of the service's own client, without what it takes by accident (API-FACTS 2.6); the length is a guess. */
static bool name_is_valid(const char *displayed)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

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
		return credentials_line(lines, "Authorization: Bearer ", credentials->token);
	failed = credentials_line(lines, "X-Auth-Email: ", credentials->email);
	return failed ? failed : credentials_line(lines, "X-Auth-Key: ", credentials->token);
}

static const char *const endpoint_variables[] = {"CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_BASE_URL", NULL};
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
	.puts_by_id = true,
	.creates_only = true,
	.replaces_only = true,
	.delete_store_checks = true,
	.duplicates = true,
	.edits = true,
	.has_quota = true,
	.lists_strange_names = true,
	.name_is_valid = name_is_valid,
	.store_name_is_valid = store_name_is_valid,
	.authorize = authorize,
	.operations =
		{
			[OPERATION_LIST_STORES] = {list_stores_ask, list_answer},
			[OPERATION_FIND_STORE] = {list_stores_ask, list_answer},
			[OPERATION_CREATE_STORE] = {create_store_ask, entry_answer},
			[OPERATION_DELETE_STORE] = {delete_store_ask, delete_answer},
			[OPERATION_LIST_SECRETS] = {list_secrets_ask, list_answer},
			[OPERATION_FIND_SECRET] = {find_secret_ask, find_secret_answer},
			[OPERATION_PUT_SECRET] = {put_secret_ask, entry_answer},
			[OPERATION_EDIT_SECRET] = {edit_secret_ask, entry_answer},
			[OPERATION_DELETE_SECRET] = {delete_secret_ask, delete_answer},
			[OPERATION_DUPLICATE_SECRET] = {duplicate_secret_ask, entry_answer},
			[OPERATION_QUOTA] = {quota_ask, quota_answer},
		},
	.patience = read_patience,
	.request_id_header = "CF-RAY",
};
