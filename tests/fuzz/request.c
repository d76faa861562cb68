/* Any question with any name, identifier and value: what is sent can mean nothing else, and carries
 * the value unharmed. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "byte_source.h"
#include "sstorefs/name.h"
#include "sstorefs/provider.h"

static const struct provider *const providers[] = {&provider_fastly, &provider_cloudflare,
						   &provider_stripe, &provider_github,
						   &provider_github_organization};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count, (void)arguments;
	quiet();
	return 0;
}

/* One way to read it, and that leads nowhere else: no blanks, no line ends, no empty segment, none
 * that plainly means "here" or "one up". */
static void check_target(const struct buffer *target)
{
	const char *at = buffer_cstr(target), *end = at + strcspn(at, "?");

	MUST(*at == '/' && strlen(at) == target->length);
	for (size_t i = 0; i < target->length; i++)
		MUST(at[i] > 0x20 && at[i] < 0x7f && at[i] != '#' && at[i] != '\\');
	while (at < end) {
		size_t length = strcspn(++at, "/?");

		MUST(length && !(length == 1 && *at == '.') &&
		     !(length == 2 && !memcmp(at, "..", 2)));
		at += length;
	}
}

static void check_headers(const struct buffer *headers)
{
	const char *line = buffer_cstr(headers), *end = line + headers->length;

	for (; line < end; line += strlen(line) + 1) {
		MUST(strchr(line, ':') && strlen(line) < 4096);
		for (const char *byte = line; *byte; byte++)
			MUST((unsigned char)*byte >= 0x20 && *byte != 0x7f);
	}
}

/* Checks that `secret` or `value` of the body is what was to be sent. */
static void check_value(const struct provider *provider, const struct op_args *args,
			const json_t *body)
{
	const json_t *text = json_object_get(body, provider->store_keys ? "encrypted_value"
						   : provider->seals	? "secret"
									: "value");
	uint8_t *decoded;
	size_t length;

	MUST(json_is_string(text));
	if (!provider->seals) {
		MUST(json_string_length(text) == args->value_length);
		MUST(!memcmp(json_string_value(text), args->value, args->value_length));
		return;
	}
	decoded = malloc(args->value_length + 3);
	MUST(decoded);
	MUST(!sodium_base642bin(decoded, args->value_length + 3, json_string_value(text),
				json_string_length(text), NULL, &length, NULL,
				sodium_base64_VARIANT_ORIGINAL));
	MUST(length == args->value_length && !memcmp(decoded, args->value, length));
	free(decoded);
}

static void check_json(const struct provider *provider, const struct op_args *args,
		       const struct locked *body)
{
	json_t *json = json_loadb((const char *)body->data, body->length, JSON_ALLOW_NUL, NULL);
	const json_t *object = json_is_array(json) ? json_array_get(json, 0) : json;

	MUST(json && json_is_object(object));
	if (args->operation == OPERATION_PUT_SECRET)
		check_value(provider, args, object);
	json_decref(json);
}

static void check_form(const struct locked *body)
{
	for (size_t i = 0; i < body->length; i++)
		MUST(body->data[i] > 0x20 && body->data[i] < 0x7f);
}

static void check_request(const struct provider *provider, const struct op_args *args,
			  const struct http_request *request)
{
	check_target(&request->target);
	check_headers(&request->headers);
	MUST(!request->body.length || request->content_type);
	if (request->body.length && strstr(request->content_type, "json"))
		check_json(provider, args, &request->body);
	else
		check_form(&request->body);
	if (args->operation == OPERATION_PUT_SECRET)
		MUST(request->bears_value == !args->client_key);
}

static void ask_provider(const struct provider *provider, struct op_args *args)
{
	struct http_request request = {.method = HTTP_GET};
	int failed = provider->build_request(provider, args, &request);

	MUST(failed == 0 || failed == -EINVAL);
	if (!failed)
		check_request(provider, args, &request);
	http_request_free(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	const struct provider *provider = providers[input_number(&input, COUNT(providers) - 1)];
	struct op_args args = {.operation = input_number(&input, OPERATION_COUNT - 1),
			       .expires_at = TIME_UNKNOWN};
	static const uint8_t key[crypto_box_PUBLICKEYBYTES] = {7};
	uint8_t how = input_byte(&input);
	char *texts[7];

	if (!provider_has(provider, args.operation))
		return -1;
	for (size_t i = 0; i < COUNT(texts); i++)
		texts[i] = input_string(&input, 300);
	/* Names have been checked before, and what is listed has such names; identifiers and
	 * cursors come from the service as they are. */
	if (!name_is_canonical(texts[0]) ||
	    (args.operation == OPERATION_CREATE_STORE ? !provider->store_name_is_valid(texts[0])
						      : false))
		goto out;
	args.name = texts[0];
	args.store_id = texts[1];
	args.id = texts[2];
	args.cursor = how & 1 ? texts[3] : NULL;
	args.account = how & 2 ? texts[4] : "0123456789abcdef0123456789abcdef";
	args.scopes = how & 4 ? texts[5] : NULL;
	args.comment = how & 8 ? texts[6] : NULL;
	args.idempotency_key = how & 16 ? texts[4] : NULL;
	args.page = input_number(&input, UINT32_MAX);
	args.mode = how / 32 % 3;
	args.client_key = how & 128 && provider->seals ? key : NULL;
	args.client_key_id = "568";
	if (provider->store_keys) { /* what the command line takes, and what a selection makes */
		args.account = provider->visibilities ? "octo-org" : "octo/app";
		args.visibility = provider->visibilities ? provider_selected(provider) : NULL;
		args.repository_ids = provider->visibilities ? "1,2" : NULL;
	}
	args.expires_at = (wall_time_ns)input_number(&input, UINT32_MAX) * NANOSECONDS;
	uint8_t *value = input_rest(&input, &args.value_length);

	args.value = value;
	/* What comes from callers of setxattr and from options is UTF-8, and so are values where
	 * only text is taken. */
	if ((!provider->text_only || utf8_is_valid(value, args.value_length)) &&
	    (!args.scopes || utf8_is_valid(args.scopes, strlen(args.scopes))) &&
	    (!args.comment || utf8_is_valid(args.comment, strlen(args.comment))))
		ask_provider(provider, &args);
	free(value);
out:
	for (size_t i = 0; i < COUNT(texts); i++)
		free(texts[i]);
	return 0;
}
