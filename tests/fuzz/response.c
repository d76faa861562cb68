/* Any answer whatever, read as the answer to any question that a provider can ask: refused or
 * understood, never believed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "byte_source.h"
#include "sstorefs/name.h"
#include "sstorefs/provider.h"

static const struct provider *const providers[] = {&provider_fastly, &provider_cloudflare,
						   &provider_stripe, &provider_github,
						   &provider_github_organization};
static const int statuses[] = {200, 201, 202, 204, 206, 301, 400, 401, 402, 403, 404, 405, 409, 412,
			       413, 415, 422, 424, 429, 500, 502, 503, 504, 599, 100, 0,   999};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count, (void)arguments;
	quiet();
	return 0;
}

/* As the network hands them over: lines without their ends, each with a NUL. */
static void read_headers(struct input *input, struct buffer *headers)
{
	while (input->left) {
		const uint8_t *end = memchr(input->data, '\n', input->left);
		size_t length = end ? (size_t)(end - input->data) : input->left;

		if (length) {
			buffer_append(headers, input->data, length);
			buffer_append(headers, "", 1);
		}
		input->data += length + (end != NULL);
		input->left -= length + (end != NULL);
		if (!length)
			return;
	}
}

static void read_body(struct input *input, struct buffer *body)
{
	size_t length;
	char *copy = (char *)input_rest(input, &length);

	*body = (struct buffer){.data = copy, .length = length, .size = length + 1};
}

static int take(void *context, const struct entry *entry)
{
	unsigned *left = context;
	char text[TIME_TEXT_SIZE];

	MUST(!entry->name || (name_is_canonical(entry->name) && *entry->name));
	MUST(*time_format(entry->created_at, text) && *time_format(entry->modified_at, text));
	MUST(*time_format(entry->expires_at, text));
	MUST(!entry->scopes || utf8_is_valid(entry->scopes, strlen(entry->scopes)));
	MUST(!entry->comment || utf8_is_valid(entry->comment, strlen(entry->comment)));
	MUST(entry->livemode >= -1 && entry->livemode <= 1);
	if (!*left)
		return -ENOMEM;
	--*left;
	return 0;
}

static void check_failure(const struct failure *failure, int failed, enum retry_hint retry_hint,
			  int status)
{
	size_t length = strlen(failure->message);

	MUST(failed <= 0 && failure->errnum == -failed);
	if (!failed)
		return;
	MUST(failure->http_status == status);
	MUST(retry_hint == RETRY_NEVER || retry_hint == RETRY_LATER ||
	     retry_hint == RETRY_AFTER_CHECK);
	MUST(length && utf8_is_valid(failure->message, length));
	for (size_t i = 0; i < length; i++)
		MUST((unsigned char)failure->message[i] >= 0x20 && failure->message[i] != 0x7f);
	MUST(strlen(failure->request_id) < sizeof(failure->request_id));
	MUST(*failure_errno_name(failure->errnum) == 'E');
}

/* No client key can be signed without the signing key, so none of these is ever accepted. */
static void check_client_key(const struct client_key_response *sent)
{
	static const uint8_t pinned[crypto_sign_PUBLICKEYBYTES] = {1, 2, 3};
	struct client_key key = {.expires_at = 0};
	const char *why = NULL;

	MUST(sent->public_key_length <= sizeof(sent->public_key));
	MUST(sent->signature_length <= sizeof(sent->signature));
	MUST(client_key_verify(&key, sent, pinned, NULL, 1000, &why) != 0);
	MUST(why && !key.expires_at);
}

static void read_rate_limit(const struct provider *provider, const struct http_response *response)
{
	struct rate_limit limit;

	provider->read_rate_limit(response, &limit);
	MUST(limit.wait_ms <= UINT64_C(1000) * 366 * 86400);
	MUST(limit.resets_in_ms <= UINT64_C(1000) * 366 * 86400);
	MUST(limit.remaining >= -1);
}

static void read_answer(const struct provider *provider, const struct op_args *args,
			const struct http_response *response, unsigned room)
{
	struct op_result result = {.on_entry = take, .context = &room, .total = -1};
	struct failure failure = {0};
	enum retry_hint retry_hint = RETRY_NEVER;
	int failed =
		provider->parse_response(provider, args, response, &result, &failure, &retry_hint);

	check_failure(&failure, failed, retry_hint, response->status);
	MUST(result.total >= -1);
	MUST(result.names_too_long + result.malformed <= result.entries);
	MUST(failed || response->status / 100 == 2);
	if (!failed && args->operation == OPERATION_CLIENT_KEY)
		check_client_key(&result.client_key);
	if (!failed && args->operation == OPERATION_QUOTA)
		MUST(result.quota >= 0 && result.usage >= 0);
	failure_redact(&failure, (const uint8_t *)"a value that is quoted", 22);
	op_result_free(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	const struct provider *provider = providers[input_number(&input, COUNT(providers) - 1)];
	struct op_args args = {.operation = input_number(&input, OPERATION_COUNT - 1)};
	struct http_response response = {
		.status = statuses[input_number(&input, COUNT(statuses) - 1)]};
	uint8_t how = input_byte(&input);

	if (!provider_has(provider, args.operation))
		return -1;
	args.name = "NAME";
	args.store_id = "7xKZ6c3f2QyJ5n1Wv8b4Tm";
	args.id = how & 1 ? "appsecret_1" : NULL;
	args.cursor = how & 2 ? "cursor" : NULL;
	args.mode = how / 4 % 3;
	read_headers(&input, &response.headers);
	read_body(&input, &response.body);
	read_rate_limit(provider, &response);
	read_answer(provider, &args, &response, how & 128 ? 1 : 1000);
	http_response_free(&response);
	return 0;
}
