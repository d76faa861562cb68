/* The bodies of Cloudflare's requests (API-FACTS 2.3); where they go is cloudflare.c's. */
#include <errno.h>
#include <string.h>

#include "provider_internal.h"
#include "sstorefs/name.h"

#define SCOPES_DEFAULT "workers" /* a new secret must have one (API-FACTS 2.6) */

/* What a body is written from. */
struct named_body {
	const struct ask *ask;
	struct buffer name;
};

static void write_scopes(struct body *body, const char *scopes)
{
	const char *between = "";

	/* Nothing between the colons, as a service may list it, is an empty array. */
	body_text(body, "\"scopes\":[");
	while (*scopes) {
		size_t length = strcspn(scopes, ":");

		if (length > 0) {
			body_text(body, between);
			body_json(body, scopes, length);
			between = ",";
		}
		scopes += length + (scopes[length] == ':');
	}
	body_text(body, "]");
}

static void write_name(struct body *body, const struct named_body *from)
{
	body_text(body, "{\"name\":");
	body_json(body, buffer_text(&from->name), from->name.length);
}

static void write_comment(struct body *body, const char *comment)
{
	body_text(body, "\"comment\":");
	body_json(body, comment, strlen(comment));
}

/* Members that follow others, as a new secret has them. */
static void write_new(struct body *body, const struct ask *ask)
{
	body_text(body, ",");
	write_scopes(body, ask->scopes ? ask->scopes : SCOPES_DEFAULT);
	if (ask->comment && *ask->comment) {
		body_text(body, ",");
		write_comment(body, ask->comment);
	}
}

static void write_store(struct body *body, const void *context)
{
	write_name(body, context);
	body_text(body, "}");
}

/* An array of one (API-FACTS 2.3). */
static void write_creation(struct body *body, const void *context)
{
	const struct named_body *from = context;

	body_text(body, "[");
	write_name(body, from);
	body_text(body, ",\"value\":");
	body_json(body, from->ask->value, from->ask->value_length);
	write_new(body, from->ask);
	body_text(body, "}]");
}

/* Only what is sent changes. */
static void write_changes(struct body *body, const void *context)
{
	const struct ask *ask = ((const struct named_body *)context)->ask;
	const char *between = "{";

	if (ask->value) {
		body_text(body, "{\"value\":");
		body_json(body, ask->value, ask->value_length);
		between = ",";
	}
	if (ask->scopes) {
		body_text(body, between);
		write_scopes(body, ask->scopes);
		between = ",";
	}
	if (ask->comment) {
		body_text(body, between);
		write_comment(body, ask->comment);
	}
	body_text(body, "}");
}

static void write_duplication(struct body *body, const void *context)
{
	const struct named_body *from = context;

	write_name(body, from);
	write_new(body, from->ask);
	body_text(body, "}");
}

int cloudflare_body(const struct ask *ask, struct http_request *request)
{
	static void (*const writers[OPERATION_COUNT])(struct body * body, const void *context) = {
		[OPERATION_CREATE_STORE] = write_store,
		[OPERATION_PUT_SECRET] = write_creation,
		[OPERATION_EDIT_SECRET] = write_changes,
		[OPERATION_DUPLICATE_SECRET] = write_duplication,
	};
	bool replaces = ask->operation == OPERATION_PUT_SECRET && ask->mode == PUT_REPLACE;
	struct named_body from = {.ask = ask};
	int failed = name_decode(&from.name, ask->name);

	if (!failed)
		failed =
			body_write(&request->body, replaces ? write_changes : writers[ask->operation], &from);
	request->content_type = "application/json";
	buffer_finish(&from.name);
	return failed ? failed : request_end(request);
}
