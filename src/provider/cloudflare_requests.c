/* The bodies of Cloudflare's requests (doc/apis.md, Cloudflare 3). */
#include <string.h>

#include "provider_internal.h"

#define SCOPES_DEFAULT "workers" /* a new secret must have one (doc/apis.md, Cloudflare 6) */

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

static void write_store(struct body_writer *body, const void *context)
{
	write_name(body, context);
	body_puts(body, "}");
}

/* An array of one (doc/apis.md, Cloudflare 3). */
static void write_creation(struct body_writer *body, const void *context)
{
	const struct named_body *from = context;

	body_puts(body, "[");
	write_name(body, from);
	body_puts(body, ",\"value\":");
	body_json_string(body, from->args->value, from->args->value_length);
	write_new(body, from->args);
	body_puts(body, "}]");
}

/* Only what is sent changes. */
static void write_changes(struct body_writer *body, const void *context)
{
	const struct op_args *args = ((const struct named_body *)context)->args;
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

static void write_duplication(struct body_writer *body, const void *context)
{
	const struct named_body *from = context;

	write_name(body, from);
	write_new(body, from->args);
	body_puts(body, "}");
}

int cloudflare_build_body(const struct op_args *args, struct http_request *request)
{
	static void (*const writers[OPERATION_COUNT])(struct body_writer * body,
						      const void *context) = {
		[OPERATION_CREATE_STORE] = write_store,
		[OPERATION_PUT_SECRET] = write_creation,
		[OPERATION_UPDATE_SECRET] = write_changes,
		[OPERATION_DUPLICATE_SECRET] = write_duplication,
	};
	bool replaces = args->operation == OPERATION_PUT_SECRET && args->mode == PUT_REPLACE;

	return request_body(request, args, "application/json",
			    replaces ? write_changes : writers[args->operation]);
}
