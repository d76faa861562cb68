/* Parses the entries of a response, as far as all services are alike. */
#include <errno.h>
#include <string.h>

#include "provider_internal.h"

int parse_entry(struct entry_parser *parser, const json_t *item)
{
	struct op_result *result = parser->result;
	struct buffer name = {0}, room = {0};
	struct entry entry = {.created_at = TIME_UNKNOWN,
			      .modified_at = TIME_UNKNOWN,
			      .expires_at = TIME_UNKNOWN,
			      .livemode = -1};
	int failed = json_get_name(item, "name", &name, result);

	result->entries++;
	if (failed == -ENOMEM)
		failed = response_malformed(parser->failure, parser->retry_hint,
					    "there was no memory to read it");
	if (failed || (parser->one_name && strcmp(buffer_cstr(&name), parser->args->name) != 0))
		goto out;
	entry.name = buffer_cstr(&name);
	if (!parser->parse_fields(parser, item, &entry, &room))
		goto out;
	parser->matched++;
	failed = result->on_entry(result->context, &entry);
	if (failed)
		failure_set(parser->failure, -failed, "%s", strerror(-failed));
out:
	buffer_finish(&room);
	buffer_finish(&name);
	return failed < 0 ? failed : 0;
}

int parse_single_entry(struct entry_parser *parser, const json_t *item)
{
	int failed;

	parser->one_name = true;
	failed = parse_entry(parser, item);
	if (!failed && parser->matched == 0)
		failed = response_malformed(parser->failure, parser->retry_hint,
					    parser->stores
						    ? "not with the store that was asked for"
						    : "not with the secret that was asked for");
	return failed;
}
