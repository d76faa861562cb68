/* Stripe's Apps Secret Store: operation to request, answer to result (API-FACTS 3 and 6). What its refusals mean is stripe_errors.c's. */
#include <errno.h>
#include <string.h>

#include "provider_internal.h"
#include "sstorefs/name.h"

#define SECRETS	       "/v1/apps/secrets"
#define PAGE_SIZE      100
#define PAGE_SIZE_TEXT "100"
#define ACCOUNT	       "account"

/* Requests. None of them has an `expand`: that would bring a value back. */

static void request_begin(struct http_request *request, enum http_method method, const struct ask *ask,
			  const char *path)
{
	request->method = method;
	http_request_header(request, "Accept", "application/json");
	if (ask->account)
		http_request_header(request, "Stripe-Account", ask->account);
	if (method != HTTP_GET && ask->idempotency_key)
		http_request_header(request, "Idempotency-Key", ask->idempotency_key);
	buffer_string(&request->target, SECRETS);
	buffer_string(&request->target, path);
}

/* The scope of a question: two parameters for a user's, one for the account's. */
static void target_scope(struct http_request *request, const char *scope)
{
	bool is_account = strcmp(scope, ACCOUNT) == 0;
	const char *type = is_account ? ACCOUNT : "user";

	target_parameter(request, "scope%5Btype%5D", type, strlen(type));
	if (!is_account)
		target_parameter(request, "scope%5Buser%5D", scope, strlen(scope));
}

static int list_secrets_ask(const struct ask *ask, struct http_request *request)
{
	if (!ask->store_id)
		return -EINVAL;
	request_begin(request, HTTP_GET, ask, "");
	target_scope(request, ask->store_id);
	target_parameter(request, "limit", PAGE_SIZE_TEXT, strlen(PAGE_SIZE_TEXT));
	if (ask->cursor)
		target_parameter(request, "starting_after", ask->cursor, strlen(ask->cursor));
	return request_end(request);
}

static int find_secret_ask(const struct ask *ask, struct http_request *request)
{
	struct buffer name = {0};
	int failed = ask->store_id ? name_decode(&name, ask->name) : -EINVAL;

	if (failed)
		goto out;
	request_begin(request, HTTP_GET, ask, "/find");
	target_scope(request, ask->store_id);
	target_parameter(request, "name", buffer_text(&name), name.length);
	failed = request_end(request);
out:
	buffer_finish(&name);
	return failed;
}

/* What the body of a changing request is written from. */
struct named_body {
	const struct ask *ask;
	struct buffer name, expires_at;
};

static void write_name(struct body *body, const struct named_body *from)
{
	const char *scope = from->ask->store_id;
	bool is_account = strcmp(scope, ACCOUNT) == 0;
	const char *type = is_account ? ACCOUNT : "user";

	body_parameter(body, "name", buffer_text(&from->name), from->name.length);
	body_parameter(body, "scope[type]", type, strlen(type));
	if (!is_account)
		body_parameter(body, "scope[user]", scope, strlen(scope));
}

static void write_deletion(struct body *body, const void *context)
{
	write_name(body, context);
}

static void write_secret(struct body *body, const void *context)
{
	const struct named_body *from = context;

	write_name(body, from);
	body_parameter(body, "payload", from->ask->value, from->ask->value_length);
	if (from->expires_at.length > 0)
		body_parameter(body, "expires_at", buffer_text(&from->expires_at), from->expires_at.length);
}

static int request_body(struct http_request *request, const struct ask *ask,
			void (*write)(struct body *body, const void *context))
{
	struct named_body from = {.ask = ask};
	int failed = ask->store_id ? name_decode(&from.name, ask->name) : -EINVAL;

	if (failed)
		goto out;
	if (ask->operation == OPERATION_PUT_SECRET && ask->expires_at != TIME_UNKNOWN)
		buffer_printf(&from.expires_at, "%lld", (long long)(ask->expires_at / NANOSECONDS));
	failed = buffer_result(&from.expires_at);
	if (!failed)
		failed = body_write(&request->body, write, &from);
	request->content_type = "application/x-www-form-urlencoded";
out:
	buffer_finish(&from.expires_at);
	buffer_finish(&from.name);
	return failed ? failed : request_end(request);
}

/* There is one verb, which creates or replaces. */
static int put_secret_ask(const struct ask *ask, struct http_request *request)
{
	if (ask->mode != PUT_EITHER)
		return -EINVAL;
	request_begin(request, HTTP_POST, ask, "");
	request->bears_value = true;
	return request_body(request, ask, write_secret);
}

static int delete_secret_ask(const struct ask *ask, struct http_request *request)
{
	request_begin(request, HTTP_POST, ask, "/delete");
	return request_body(request, ask, write_deletion);
}

/* Answers */

/* Returns 0 and what a successful answer has in it; else what stripe_refusal or answer_nonsense say. */
static int answer_read(const struct ask *ask, const struct http_answer *answer, struct failure *failure,
		       enum remedy *remedy, json_t **object)
{
	*object = NULL;
	answer_begin(answer, &provider_stripe, failure, remedy);
	if (status_meaning(answer->status)->error != 0)
		return stripe_refusal(ask, answer, failure, remedy);
	*object = answer_object(answer);
	return *object ? 0 : answer_nonsense(failure, remedy, "not with a JSON object");
}

static bool read_fields(struct reading *reading, const json_t *item, struct entry *entry, struct buffer *room)
{
	const json_t *livemode = json_object_get(item, "livemode");

	(void)reading;
	(void)room;
	entry->id = member_text(item, "id");
	entry->created_at = entry->modified_at = member_seconds(item, "created");
	entry->expires_at = member_seconds(item, "expires_at");
	if (entry->expires_at == 0) /* "none", where a language has no null */
		entry->expires_at = TIME_UNKNOWN;
	entry->livemode = json_is_boolean(livemode) ? json_is_true(livemode) : -1;
	return true;
}

/* The next page begins behind the last secret of this one, whatever that is. Without its id the rest would be lost, so it is an error. */
static int read_cursor(struct reading *reading, const json_t *object, const json_t *last)
{
	const char *cursor = member_text(last, "id");
	const json_t *has_more = json_object_get(object, "has_more");

	buffer_clear(&reading->result->cursor);
	if (has_more && !json_is_boolean(has_more) && !json_is_null(has_more))
		return answer_nonsense(reading->failure, reading->remedy,
				       "\"has_more\" is neither true nor false");
	if (!json_is_true(has_more))
		return 0;
	if (!cursor || !*cursor)
		return answer_nonsense(reading->failure, reading->remedy,
				       "its last secret has no id, and there are more");
	buffer_string(&reading->result->cursor, cursor);
	if (reading->result->cursor.failed)
		return answer_nonsense(reading->failure, reading->remedy, "there was no memory to read it");
	return 0;
}

static int list_answer(const struct ask *ask, const struct http_answer *answer, struct result *result,
		       struct failure *failure, enum remedy *remedy)
{
	struct reading reading = {
		.ask = ask, .result = result, .failure = failure, .remedy = remedy, .fields = read_fields};
	json_t *object;
	const json_t *data, *item, *last = NULL;
	size_t i;
	int failed = answer_read(ask, answer, failure, remedy, &object);

	data = json_object_get(object, "data");
	if (!failed && !json_is_array(data))
		failed = answer_nonsense(failure, remedy, "\"data\" is no list");
	if (!failed && json_array_size(data) > 0)
		last = json_array_get(data, json_array_size(data) - 1);
	if (!failed)
		failed = read_cursor(&reading, object, last);
	for (i = 0; !failed && (item = json_array_get(data, i)); i++)
		failed = reading_take(&reading, item);
	json_decref(object);
	return failed;
}

/* The one secret that was asked for or set. */
static int entry_answer(const struct ask *ask, const struct http_answer *answer, struct result *result,
			struct failure *failure, enum remedy *remedy)
{
	struct reading reading = {
		.ask = ask, .result = result, .failure = failure, .remedy = remedy, .fields = read_fields};
	json_t *object;
	int failed = answer_read(ask, answer, failure, remedy, &object);

	if (!failed)
		failed = reading_take_only(&reading, object);
	else if (ask->operation == OPERATION_PUT_SECRET && answer_has_no_content(answer))
		failed = answer_begin(answer, &provider_stripe, failure, remedy);
	json_decref(object);
	return failed;
}

/* The whole secret, or no more than its id (API-FACTS 3.2), or nothing: read none of it. */
static int delete_answer(const struct ask *ask, const struct http_answer *answer, struct result *result,
			 struct failure *failure, enum remedy *remedy)
{
	json_t *object;
	int failed = answer_read(ask, answer, failure, remedy, &object);

	(void)result;
	if (failed && answer_has_no_content(answer)) {
		failed = answer_begin(answer, &provider_stripe, failure, remedy);
	} else if (!failed && json_is_false(json_object_get(object, "deleted"))) {
		failed = answer_nonsense(failure, remedy, "the secret is not deleted");
	}
	json_decref(object);
	return failed;
}

/* Its limits are a second's (API-FACTS 3.4): nothing tells of them but a 429. */
static void read_patience(const struct http_answer *answer, struct patience *patience)
{
	const char *again = http_answer_header(answer, "Stripe-Should-Retry");

	*patience = (struct patience){.remaining = -1};
	patience_retry_after(answer, patience);
	patience->no_more = again && strcmp(again, "false") == 0;
}

/* The service itself */

/* Anything that can be shown: no alphabet is published, and the limit of 5000 characters is far (API-FACTS 3.5). */
static bool name_is_valid(const char *displayed)
{
	return *displayed && name_is_canonical(displayed);
}

static bool store_name_is_valid(const char *displayed)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_",
			  user[] = "usr_";
	const char *id = displayed + strlen(user);

	if (strcmp(displayed, ACCOUNT) == 0)
		return true;
	return strncmp(displayed, user, strlen(user)) == 0 && *id && strlen(id) < NAME_LENGTH_MAX &&
	       id[strspn(id, alphabet)] == '\0';
}

static int authorize(const struct credentials *credentials, struct locked *lines)
{
	return credentials_line(lines, "Authorization: Bearer ", credentials->token);
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
	.lasting_store = ACCOUNT,
	.finds_secrets = true,
	.puts_either = true,
	.has_idempotency_keys = true,
	.quota_is_per_store = true,
	.expires = true,
	.name_is_valid = name_is_valid,
	.store_name_is_valid = store_name_is_valid,
	.authorize = authorize,
	.operations =
		{
			[OPERATION_LIST_SECRETS] = {list_secrets_ask, list_answer},
			[OPERATION_FIND_SECRET] = {find_secret_ask, entry_answer},
			[OPERATION_PUT_SECRET] = {put_secret_ask, entry_answer},
			[OPERATION_DELETE_SECRET] = {delete_secret_ask, delete_answer},
		},
	.patience = read_patience,
	.request_id_header = "Request-Id",
};
