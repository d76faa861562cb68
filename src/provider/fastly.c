/* Fastly's Secret Store: operation to request, answer to result (API-FACTS 1). What its refusals mean is fastly_errors.c's. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "provider_internal.h"
#include "sstorefs/name.h"

#define STORES	  "/resources/stores/secret"
#define PAGE_SIZE "200"

/* Requests */

/* Two words stand where a store's id stands in paths, and are none (API-FACTS 1.8). */
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
	buffer_string(&request->target, STORES);
}

static int request_store(struct http_request *request, enum http_method method, const char *store_id)
{
	if (!is_store_id(store_id))
		return -EINVAL;
	request_begin(request, method);
	target_segment(request, store_id, strlen(store_id));
	return 0;
}

static int request_secret(struct http_request *request, enum http_method method, const struct ask *ask)
{
	struct buffer name = {0};
	int failed = request_store(request, method, ask->store_id);

	if (!failed)
		failed = name_decode(&name, ask->name);
	if (failed)
		goto out;
	buffer_string(&request->target, "/secrets");
	target_segment(request, buffer_text(&name), name.length);
	failed = request_end(request);
out:
	buffer_finish(&name);
	return failed;
}

static int request_page(struct http_request *request, const struct ask *ask)
{
	target_parameter(request, "limit", PAGE_SIZE, strlen(PAGE_SIZE));
	if (ask->cursor)
		target_parameter(request, "cursor", ask->cursor, strlen(ask->cursor));
	return request_end(request);
}

static int list_stores_ask(const struct ask *ask, struct http_request *request)
{
	request_begin(request, HTTP_GET);
	return request_page(request, ask);
}

static int find_store_ask(const struct ask *ask, struct http_request *request)
{
	struct buffer name = {0};
	int failed = name_decode(&name, ask->name);

	if (failed)
		goto out;
	request_begin(request, HTTP_GET);
	target_parameter(request, "name", buffer_text(&name), name.length);
	failed = request_page(request, ask);
out:
	buffer_finish(&name);
	return failed;
}

static int list_secrets_ask(const struct ask *ask, struct http_request *request)
{
	int failed = request_store(request, HTTP_GET, ask->store_id);

	if (failed)
		return failed;
	buffer_string(&request->target, "/secrets");
	return request_page(request, ask);
}

static int find_secret_ask(const struct ask *ask, struct http_request *request)
{
	return request_secret(request, HTTP_GET, ask);
}

static int delete_secret_ask(const struct ask *ask, struct http_request *request)
{
	return request_secret(request, HTTP_DELETE, ask);
}

static int delete_store_ask(const struct ask *ask, struct http_request *request)
{
	int failed = request_store(request, HTTP_DELETE, ask->store_id);

	return failed ? failed : request_end(request);
}

/* What the body of a creating or replacing request is written from. */
struct named_body {
	const struct ask *ask;
	struct buffer name;
};

static void write_store(struct body *body, const void *context)
{
	const struct named_body *from = context;

	body_text(body, "{\"name\":");
	body_json(body, buffer_text(&from->name), from->name.length);
	body_text(body, "}");
}

static void write_secret(struct body *body, const void *context)
{
	const struct named_body *from = context;

	body_text(body, "{\"name\":");
	body_json(body, buffer_text(&from->name), from->name.length);
	body_text(body, ",\"secret\":");
	body_base64(body, from->ask->value, from->ask->value_length);
	if (from->ask->client_key) {
		body_text(body, ",\"client_key\":");
		body_base64(body, from->ask->client_key, crypto_box_PUBLICKEYBYTES);
	}
	body_text(body, "}");
}

static int request_body(struct http_request *request, const struct ask *ask,
			void (*write)(struct body *body, const void *context))
{
	struct named_body from = {.ask = ask};
	int failed = name_decode(&from.name, ask->name);

	if (!failed)
		failed = body_write(&request->body, write, &from);
	request->content_type = "application/json";
	buffer_finish(&from.name);
	return failed ? failed : request_end(request);
}

static int create_store_ask(const struct ask *ask, struct http_request *request)
{
	request_begin(request, HTTP_POST);
	return request_body(request, ask, write_store);
}

/* Create, replace, or either: three verbs for one body (API-FACTS 1.2). */
static int put_secret_ask(const struct ask *ask, struct http_request *request)
{
	static const enum http_method methods[] = {
		[PUT_CREATE] = HTTP_POST,
		[PUT_REPLACE] = HTTP_PATCH,
		[PUT_EITHER] = HTTP_PUT,
	};
	int failed = request_store(request, methods[ask->mode], ask->store_id);

	if (failed)
		return failed;
	buffer_string(&request->target, "/secrets");
	request->bears_value = !ask->client_key;
	return request_body(request, ask, write_secret);
}

/* No body, but a Content-Type all the same: so it was recorded. */
static int client_key_ask(const struct ask *ask, struct http_request *request)
{
	(void)ask;
	request_begin(request, HTTP_POST);
	buffer_string(&request->target, "/client-key");
	request->content_type = "application/json";
	return request_end(request);
}

static int signing_key_ask(const struct ask *ask, struct http_request *request)
{
	(void)ask;
	request_begin(request, HTTP_GET);
	buffer_string(&request->target, "/signing-key");
	return request_end(request);
}

/* Answers */

/* Returns 0 and what a successful answer has in it; else what fastly_refusal or answer_nonsense say. */
static int answer_read(const struct ask *ask, const struct http_answer *answer, struct failure *failure,
		       enum remedy *remedy, json_t **object)
{
	*object = NULL;
	answer_begin(answer, &provider_fastly, failure, remedy);
	if (status_meaning(answer->status)->error != 0)
		return fastly_refusal(ask, answer, failure, remedy);
	*object = answer_object(answer);
	return *object ? 0 : answer_nonsense(failure, remedy, "not with a JSON object");
}

static bool read_fields(struct reading *reading, const json_t *item, struct entry *entry, struct buffer *room)
{
	(void)room;
	entry->id = member_text(item, "id");
	if (reading->stores && !is_store_id(entry->id)) {
		reading->result->malformed++;
		return false;
	}
	entry->digest = member_text(item, "digest");
	if (entry->digest && !*entry->digest)
		entry->digest = NULL;
	entry->created_at = entry->modified_at = member_time(item, "created_at");
	return true;
}

/* The end of a listing is a cursor that is absent, null or empty. Anything else that is no text would lose the rest of it, so it is an error. */
static int read_cursor(struct reading *reading, const json_t *object)
{
	const json_t *meta = json_object_get(object, "meta");
	const json_t *next = json_object_get(meta, "next_cursor");
	const char *cursor = member_text(meta, "next_cursor");

	buffer_clear(&reading->result->cursor);
	if (meta && !json_is_object(meta) && !json_is_null(meta))
		return answer_nonsense(reading->failure, reading->remedy, "\"meta\" is no object");
	if (!next || json_is_null(next))
		return 0;
	if (!cursor)
		return answer_nonsense(reading->failure, reading->remedy, "\"next_cursor\" is no text");
	buffer_string(&reading->result->cursor, cursor);
	if (reading->result->cursor.failed)
		return answer_nonsense(reading->failure, reading->remedy, "there was no memory to read it");
	return 0;
}

static int read_page(struct reading *reading, const json_t *object)
{
	const json_t *data = json_object_get(object, "data"), *item;
	size_t i;
	int failed;

	if (!json_is_array(data))
		return answer_nonsense(reading->failure, reading->remedy, "\"data\" is no list");
	failed = read_cursor(reading, object);
	for (i = 0; !failed && (item = json_array_get(data, i)); i++)
		failed = reading_take(reading, item);
	return failed;
}

static int list_answer(const struct ask *ask, const struct http_answer *answer, struct result *result,
		       struct failure *failure, enum remedy *remedy)
{
	struct reading reading = {
		.ask = ask, .result = result, .failure = failure, .remedy = remedy, .fields = read_fields};
	json_t *object;
	int failed = answer_read(ask, answer, failure, remedy, &object);

	reading.stores = ask->operation != OPERATION_LIST_SECRETS;
	reading.one_name = ask->operation == OPERATION_FIND_STORE;
	if (!failed)
		failed = read_page(&reading, object);
	/* With a cursor the filter was overlooked, and the store may be on a later page. */
	if (!failed && reading.one_name && reading.taken == 0 && result->cursor.length == 0)
		failed = failure_set(failure, ENOENT, "there is no store of this name");
	json_decref(object);
	return failed;
}

/* The one store or secret that was asked for, created or changed. */
static int entry_answer(const struct ask *ask, const struct http_answer *answer, struct result *result,
			struct failure *failure, enum remedy *remedy)
{
	struct reading reading = {
		.ask = ask, .result = result, .failure = failure, .remedy = remedy, .fields = read_fields};
	json_t *object;
	int failed = answer_read(ask, answer, failure, remedy, &object);

	reading.stores = ask->operation == OPERATION_CREATE_STORE;
	if (!failed)
		failed = reading_take_only(&reading, object);
	else if (ask->operation != OPERATION_FIND_SECRET && answer_has_no_content(answer))
		failed = answer_begin(answer, &provider_fastly, failure, remedy);
	json_decref(object);
	return failed;
}

/* 204 without a body is all there is to say (API-FACTS 1.2); a page to log in at is not. */
static int delete_answer(const struct ask *ask, const struct http_answer *answer, struct result *result,
			 struct failure *failure, enum remedy *remedy)
{
	json_t *object;
	int failed = answer_read(ask, answer, failure, remedy, &object);

	if (failed && status_meaning(answer->status)->error == 0 && answer_is_blank(answer))
		failed = answer_begin(answer, &provider_fastly, failure, remedy);
	result->deleted_async = !failed && answer->status == 202;
	json_decref(object);
	return failed;
}

/* Believes nothing yet: what is no key at all becomes one of a wrong length, which client_key_accept refuses. */
static int client_key_answer(const struct ask *ask, const struct http_answer *answer, struct result *result,
			     struct failure *failure, enum remedy *remedy)
{
	struct client_key_answer *key = &result->client_key;
	json_t *object;
	int failed = answer_read(ask, answer, failure, remedy, &object);
	/* The documentation calls it otherwise than the service (API-FACTS 1.7). */
	const json_t *public_key = json_object_get(object, "public_key");
	const char *member = public_key && !json_is_null(public_key) ? "public_key" : "client_key";
	const char *date = http_answer_header(answer, "Date");

	if (!failed && (!json_object_get(object, member) || !json_object_get(object, "signature")))
		failed = answer_nonsense(failure, remedy, "without a client key or its signature");
	if (failed)
		goto out;
	memset(key, 0, sizeof(*key));
	key->public_key_length = member_base64(object, member, key->public_key, sizeof(key->public_key));
	key->signature_length = member_base64(object, "signature", key->signature, sizeof(key->signature));
	key->expires_at = member_time(object, "expires_at");
	key->date = TIME_UNKNOWN;
	if (date)
		time_parse_http(date, &key->date);
out:
	json_decref(object);
	return failed;
}

static int signing_key_answer(const struct ask *ask, const struct http_answer *answer, struct result *result,
			      struct failure *failure, enum remedy *remedy)
{
	uint8_t key[sizeof(result->signing_key) + 1];
	json_t *object;
	int failed = answer_read(ask, answer, failure, remedy, &object);

	if (!failed && !member_text(object, "signing_key"))
		failed = answer_nonsense(failure, remedy, "without a signing key");
	if (failed)
		goto out;
	if (member_base64(object, "signing_key", key, sizeof(key)) == sizeof(result->signing_key))
		memcpy(result->signing_key, key, sizeof(result->signing_key));
	else
		failed = failure_set(failure, EKEYREJECTED,
				     "the signing key that the service sent is none of 32 bytes");
out:
	json_decref(object);
	return failed;
}

static void read_patience(const struct http_answer *answer, struct patience *patience)
{
	*patience = (struct patience){.remaining = -1};
	patience_retry_after(answer, patience);
	patience_budget(answer, patience, "Fastly-RateLimit-Remaining", "Fastly-RateLimit-Reset");
	/* No Retry-After is documented: what says when a 429 ends is the reset (API-FACTS 1.5). */
	if (answer->status == 429 && patience->resets_in_ms > patience->wait_ms)
		patience->wait_ms = patience->resets_in_ms;
}

/* The service itself */

/* API-FACTS 1.6; the length is a guess. */
static bool name_is_valid(const char *displayed)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";

	return name_is_of(displayed, alphabet);
}

static int authorize(const struct credentials *credentials, struct locked *lines)
{
	return credentials_line(lines, "Fastly-Key: ", credentials->token);
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
	.finds_stores = true,
	.finds_secrets = true,
	.puts_either = true,
	.creates_only = true,
	.replaces_only = true,
	.reads_are_free = true,
	.name_is_valid = name_is_valid,
	.store_name_is_valid = name_is_valid,
	.authorize = authorize,
	.operations =
		{
			[OPERATION_LIST_STORES] = {list_stores_ask, list_answer},
			[OPERATION_FIND_STORE] = {find_store_ask, list_answer},
			[OPERATION_CREATE_STORE] = {create_store_ask, entry_answer},
			[OPERATION_DELETE_STORE] = {delete_store_ask, delete_answer},
			[OPERATION_LIST_SECRETS] = {list_secrets_ask, list_answer},
			[OPERATION_FIND_SECRET] = {find_secret_ask, entry_answer},
			[OPERATION_PUT_SECRET] = {put_secret_ask, entry_answer},
			[OPERATION_DELETE_SECRET] = {delete_secret_ask, delete_answer},
			[OPERATION_CLIENT_KEY] = {client_key_ask, client_key_answer},
			[OPERATION_SIGNING_KEY] = {signing_key_ask, signing_key_answer},
		},
	.patience = read_patience,
	.request_id_header = "Fastly-Trace-Id",
};
