/* Parses responses, as far as all services are alike. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provider_internal.h"

static int find_failure(struct response_parser *parser)
{
	const struct provider *provider = parser->provider;

	if (!response_is_success(parser->response))
		return provider->map_error(parser);
	if (!parser->object)
		return parse_malformed(parser, "not with a JSON object");
	return provider->check_success ? provider->check_success(parser) : 0;
}

/* Headers that announce the end of what was asked for (RFC 9745, RFC 8594). */
static void read_announcements(struct response_parser *parser)
{
	for (const char *const *name = PHRASES("Deprecation", "Sunset"); *name; name++) {
		const char *value = http_response_header(parser->response, *name);

		if (value)
			parse_notice(parser, "%s: %s", *name, value);
	}
}

int response_parse(const struct provider *provider, const struct op_args *args,
		   const struct http_response *response, struct op_result *result,
		   struct failure *failure, enum retry_hint *retry_hint)
{
	json_t *object = response_json(response);
	enum operation operation = args->operation;
	struct response_parser parser = {
		.provider = provider,
		.args = args,
		.response = response,
		.result = result,
		.failure = failure,
		.retry_hint = retry_hint,
		.object = object,
		.stores = operation_is_about_stores(operation),
	};
	int failed;

	response_reset(&parser);
	read_announcements(&parser);
	if (object && provider->read_notices)
		provider->read_notices(&parser);
	failed = find_failure(&parser);
	if (failed)
		parser.object = NULL;
	failed = provider->operations[operation].parse(&parser, failed);
	json_decref(object);
	return failed;
}

void parse_notice(struct response_parser *parser, const char *format, ...)
{
	struct buffer *notices = &parser->result->notices;
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) >= 0) {
		buffer_append(notices, text, strlen(text) + 1);
		free(text);
	}
	va_end(arguments);
}

int parse_malformed(struct response_parser *parser, const char *what)
{
	int status = parser->failure->http_status;

	*parser->retry_hint = RETRY_AFTER_CHECK;
	return failure_set(parser->failure, EIO, "the service answered %d %s, but %s", status,
			   http_status_info(status)->phrase, what);
}

int parse_cursor(struct response_parser *parser, const char *cursor)
{
	buffer_clear(&parser->result->cursor);
	buffer_puts(&parser->result->cursor, cursor);
	return parser->result->cursor.failed
		       ? parse_malformed(parser, "there was no memory to read it")
		       : 0;
}

int parse_entries(struct response_parser *parser, const json_t *list)
{
	const json_t *item;
	int failed = 0;

	for (size_t i = 0; !failed && (item = json_array_get(list, i)); i++)
		failed = parse_entry(parser, item);
	return failed;
}

int parse_entry(struct response_parser *parser, const json_t *item)
{
	struct op_result *result = parser->result;
	struct buffer name = {0}, room = {0};
	struct entry entry = ENTRY_WITH(.name = NULL);
	int failed = json_get_name(item, "name", &name, result);

	result->entries++;
	if (failed == -ENOMEM)
		failed = parse_malformed(parser, "there was no memory to read it");
	if (failed || (parser->one_name && strcmp(buffer_cstr(&name), parser->args->name) != 0))
		goto out;
	entry.name = buffer_cstr(&name);
	if (!parser->provider->parse_fields(parser, item, &entry, &room))
		goto out;
	if (entry.modified_at == TIME_UNKNOWN)
		entry.modified_at = entry.created_at;
	parser->matched++;
	failed = result->on_entry(result->context, &entry);
	if (failed)
		failure_set(parser->failure, -failed, "%s", strerror(-failed));
out:
	buffer_finish(&room);
	buffer_finish(&name);
	return failed < 0 ? failed : 0;
}

int parse_single_entry(struct response_parser *parser, const json_t *item)
{
	int failed;

	/* The service may keep the name of a new store in another spelling. */
	parser->one_name = parser->args->operation != OPERATION_CREATE_STORE;
	failed = parse_entry(parser, item);
	if (!failed && parser->matched == 0)
		failed = parse_malformed(parser,
					 parser->stores ? "not with the store that was asked for"
							: "not with the secret that was asked for");
	return failed;
}

int parse_entry_response(struct response_parser *parser, int failed)
{
	if (!failed)
		return parse_single_entry(parser, parser->object);
	if (parser->args->operation != OPERATION_FIND_SECRET &&
	    response_has_no_content(parser->response))
		return response_reset(parser);
	return failed;
}

int parse_deletion_response(struct response_parser *parser, int failed)
{
	const struct http_response *response = parser->response;

	/* A body that is no JSON, such as a page to log in at, is no success. */
	if (failed && response_is_success(response) && response_is_blank(response))
		failed = response_reset(parser);
	parser->result->deleted_async = !failed && response->status == 202;
	return failed;
}
