/*
 * GitHub's secrets of repositories, environments and organizations: operations to requests,
 * responses to results (doc/apis.md, GitHub).
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "provider_internal.h"
#include "sstorefs/name.h"

#define PAGE_SIZE 100

/* The id of a fixed store is its kind, that of an environment this and its name: no kind has a
 * slash. */
#define ENVIRONMENTS "environments/"

static const char *const kinds[] = {"actions", "dependabot", "codespaces", "agents", NULL};

/* Requests */

static bool is_kind(const char *store)
{
	return provider_has_builtin_store(&provider_github, store);
}

/* Appends what stands for a store in paths: its kind, or `environments` and a name. */
static int append_store(struct http_request *request, const char *id)
{
	size_t length = strlen(ENVIRONMENTS);

	if (id && is_kind(id)) {
		url_append_segment(request, id, strlen(id));
		return 0;
	}
	if (!id || strncmp(id, ENVIRONMENTS, length) != 0 || !id[length])
		return -EINVAL;
	buffer_puts(&request->target, "/environments");
	url_append_segment(request, id + length, strlen(id + length));
	return 0;
}

static int request_page(const struct op_args *args, struct http_request *request)
{
	url_append_number(request, "per_page", PAGE_SIZE);
	url_append_number(request, "page", args->page ? args->page : 1);
	return 0;
}

static void write_secret(struct body_writer *body, const struct named_body *from)
{
	const struct op_args *args = from->args;
	const char *key_id = args->client_key_id;

	body_puts(body, "{\"encrypted_value\":");
	body_base64(body, args->value, args->value_length);
	body_puts(body, ",\"key_id\":");
	body_json_string(body, key_id, strlen(key_id));
	if (args->visibility) {
		body_puts(body, ",\"visibility\":");
		body_json_string(body, args->visibility, strlen(args->visibility));
	}
	if (args->repository_ids) {
		body_puts(body, ",\"selected_repository_ids\":[");
		body_puts(body, args->repository_ids);
		body_puts(body, "]");
	}
	body_puts(body, "}");
}

/* Appends what a path begins with: the repository or organization, and behind it the store. */
static int append_place(struct http_request *request, const struct op_args *args)
{
	if (args->operation == OPERATION_FIND_REPOSITORY)
		return 0;
	buffer_puts(&request->target, strchr(args->account, '/') ? "/repos/" : "/orgs/");
	buffer_puts(&request->target, args->account);
	return operation_is_about_stores(args->operation) ? 0
							  : append_store(request, args->store_id);
}

static int build_request(const struct provider *provider, const struct op_args *args,
			 struct http_request *request)
{
	struct op_args fixed = *args;
	int failed;

	if (!args->account || !*args->account)
		return -EINVAL;
	/* A fixed store is there if its secrets may be listed. */
	if (args->operation == OPERATION_FIND_STORE && args->name && is_kind(args->name)) {
		fixed.operation = OPERATION_LIST_SECRETS;
		fixed.store_id = args->name;
	}
	/* There is one verb, which creates or replaces; nothing is sent that is not sealed. */
	if (args->operation == OPERATION_PUT_SECRET &&
	    (args->mode != PUT_UPSERT || !args->client_key || !args->client_key_id))
		return -EINVAL;
	if (args->operation == OPERATION_DELETE_STORE && args->store_id && is_kind(args->store_id))
		return -EINVAL;
	http_request_header(request, "Accept", "application/vnd.github+json");
	http_request_header(request, "X-GitHub-Api-Version", "2022-11-28");
	failed = append_place(request, &fixed);
	return failed ? failed
		      : request_append(&provider->operations[fixed.operation], &fixed, request);
}

/* Responses */

static bool parse_fields(struct response_parser *parser, const json_t *item, struct entry *entry,
			 struct buffer *room)
{
	enum operation operation = parser->args->operation;
	const char *name = json_get_string(item, "name");

	if (operation == OPERATION_LIST_REPOSITORIES || operation == OPERATION_FIND_REPOSITORY) {
		buffer_printf(room, "%" PRId64, json_get_count(item, "id"));
		entry->id = buffer_cstr(room);
		return *entry->id != '-';
	}
	if (parser->stores && !name) { /* it has a NUL: no path can hold it */
		parser->result->malformed++;
		return false;
	}
	if (parser->stores) {
		buffer_printf(room, ENVIRONMENTS "%s", name);
		entry->id = buffer_cstr(room);
	}
	entry->created_at = json_get_time(item, "created_at");
	entry->modified_at = json_get_time(item, "updated_at");
	entry->visibility = json_get_string(item, "visibility");
	return true;
}

static int show_kind(struct response_parser *parser, const char *kind)
{
	const struct entry entry = ENTRY_WITH(.name = kind, .id = kind);
	int failed = parser->result->on_entry(parser->result->context, &entry);

	if (failed)
		failure_set(parser->failure, -failed, "%s", strerror(-failed));
	return failed;
}

/* The schema lets the list of environments be left out: it is empty then if that is said. */
static int list_response(struct response_parser *parser, int failed)
{
	enum operation operation = parser->args->operation;
	const json_t *list = json_object_get(
		parser->object, operation == OPERATION_LIST_STORES	   ? "environments"
				: operation == OPERATION_LIST_REPOSITORIES ? "repositories"
									   : "secrets");
	int64_t total = json_get_count(parser->object, "total_count");

	if (!failed && !json_is_array(list) && (total != 0 || (list && !json_is_null(list))))
		failed = parse_malformed(parser, "its list is missing");
	if (failed)
		return failed;
	parser->result->total = total;
	return parse_entries(parser, list);
}

/* The environments, and before the first of them the stores that are always there: of two with one
 * name these come first. */
static int list_stores_response(struct response_parser *parser, int failed)
{
	for (size_t i = 0; kinds[i] && parser->args->page <= 1 && !failed; i++)
		failed = show_kind(parser, kinds[i]);
	return list_response(parser, failed);
}

/* In whatever spelling: the service makes no difference between capitals and small letters. */
static int find_repository_response(struct response_parser *parser, int failed)
{
	if (!failed)
		failed = parse_entry(parser, parser->object);
	if (!failed && parser->matched == 0)
		failed = parse_malformed(parser, "without the id of a repository");
	return failed;
}

/* The service finds environments whatever the case of their names. A name in another case is none
 * of a directory, which has one spelling. */
static int find_store_response(struct response_parser *parser, int failed)
{
	const char *asked = parser->args->name;
	struct buffer name = {0};

	if (failed)
		return failed;
	if (is_kind(asked))
		return show_kind(parser, asked);
	if (!json_get_name(parser->object, "name", &name, parser->result) &&
	    strcmp(buffer_cstr(&name), asked) != 0 && !strcasecmp(buffer_cstr(&name), asked))
		failed = failure_set(parser->failure, ENOENT,
				     "the service has it as %s: use that spelling",
				     buffer_cstr(&name));
	else
		failed = parse_single_entry(parser, parser->object);
	buffer_finish(&name);
	return failed;
}

/* Believes nothing yet: a key that is none becomes one of a wrong length, which client_key_accept
 * refuses. */
static int client_key_response(struct response_parser *parser, int failed)
{
	struct client_key_response *key = &parser->result->client_key;
	const char *id = json_get_string(parser->object, "key_id");

	if (!failed && (!id || !*id || strlen(id) >= sizeof(key->id) ||
			!json_get_string(parser->object, "key")))
		failed = parse_malformed(parser, "without a public key or its id");
	if (failed)
		return failed;
	memset(key, 0, sizeof(*key));
	strcpy(key->id, id);
	key->public_key_length =
		json_get_base64(parser->object, "key", key->public_key, sizeof(key->public_key));
	return 0;
}

/* 201 and `{}` for a new secret, 204 and nothing for one that was replaced. */
static int put_secret_response(struct response_parser *parser, int failed)
{
	const struct http_response *response = parser->response;
	struct op_result *result = parser->result;

	result->created = response->status == 201;
	result->replaced = response->status == 204;
	if (failed && (result->created || result->replaced) && response_is_blank(response))
		return response_reset(parser);
	if (!failed && !result->created && !result->replaced)
		return parse_malformed(parser, "a secret is created with 201 or replaced with 204");
	return failed;
}

/* The service itself */

/* Capitals alone: the service makes no difference and keeps capitals, so that a file with small
 * letters would vanish from under its writer (doc/apis.md, GitHub 5). */
static bool name_is_valid(const char *displayed)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789",
			  reserved[] = "GITHUB_";

	return name_matches_alphabet(displayed, alphabet) &&
	       !(*displayed >= '0' && *displayed <= '9') &&
	       strncmp(displayed, reserved, strlen(reserved)) != 0;
}

/* At most 255 characters, any but a few. What looks as the second of two stores with one name does
 * is not taken for an environment's name, and one with a NUL could be made and never used. */
static bool store_name_is_valid(const char *displayed)
{
	return name_is_canonical(displayed) && !strstr(displayed, "~environments%2F") &&
	       !strstr(displayed, "%00");
}

static const char *const endpoint_variables[] = {NULL};
static const char *const token_variables[] = {"GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN",
					      "GH_TOKEN", "GITHUB_TOKEN", NULL};

#define NAME_RULE                                                                                    \
	"the service keeps names in capitals, and finds them whatever their case: use A-Z, 0-9 and " \
	"_, with no digit first and no GITHUB_ before it"

/* What the stores of repositories and of organizations have in common. */
#define COMMON                                                                                     \
	.name = "github", .endpoint = "https://api.github.com",                                    \
	.endpoint_variables = endpoint_variables, .host_variable = "GH_HOST",                      \
	.host = "github.com", .host_path = "/api/v3", .token_variables = token_variables,          \
	.own_server_tokens = 2, .store_paging = PAGING_NUMBERED, .secret_paging = PAGING_NUMBERED, \
	.page_size = PAGE_SIZE, .value_bytes_max = 49152, .text_only = true, .seals = true,        \
	.tells_modified_at = true, .store_keys = true, .builtin_stores = kinds,                    \
	.gets_secret_by_name = true, .has_upsert = true, .quota_is_per_store = true,               \
	.rate_rules = RATE_RULES, .name_is_valid = name_is_valid, .name_rule = NAME_RULE,          \
	.authorize = authorize_bearer, .parse_response = response_parse,                           \
	.map_error = github_map_error, .parse_fields = parse_fields,                               \
	.read_rate_limit = github_read_rate_limit, .request_id_header = "X-GitHub-Request-Id",     \
	.build_request = build_request

/* doc/apis.md, GitHub 4 */
#define RATE_RULES                                                                                 \
	{                                                                                          \
		.one_change_at_a_time = true, .unpaced_changes = 20, .changes_a_minute = 80,       \
		.points_a_minute = 900, .points_of_read = 1, .points_of_change = 5                 \
	}

#define COMMON_OPERATIONS                                                                          \
	[OPERATION_LIST_SECRETS] = {HTTP_GET, "/secrets", list_response, .query = request_page},   \
	[OPERATION_FIND_SECRET] = {HTTP_GET, "/secrets/{name}", parse_entry_response},             \
	[OPERATION_PUT_SECRET] = {HTTP_PUT, "/secrets/{name}", put_secret_response,                \
				  .write = write_secret},                                          \
	[OPERATION_DELETE_SECRET] = {HTTP_DELETE, "/secrets/{name}", parse_deletion_response},     \
	[OPERATION_CLIENT_KEY] = {HTTP_GET, "/secrets/public-key", client_key_response}

static const struct service_operation repository_operations[OPERATION_COUNT] = {
	COMMON_OPERATIONS,
	[OPERATION_LIST_STORES] = {HTTP_GET, "/environments", list_stores_response,
				   .query = request_page},
	[OPERATION_FIND_STORE] = {HTTP_GET, "/environments/{name}", find_store_response},
	/* Without a body: no protection rules. */
	[OPERATION_CREATE_STORE] = {HTTP_PUT, "/environments/{name}", parse_entry_response},
	[OPERATION_DELETE_STORE] = {HTTP_DELETE, "", parse_deletion_response},
};

const struct provider provider_github = {
	COMMON,
	.gets_store_by_name = true,
	.create_store_overwrites = true,
	.secrets_per_store = 100,
	.store_name_is_valid = store_name_is_valid,
	.store_name_rule =
		"a directory here is an environment: its name is UTF-8 text of 255 characters at most, without NUL",
	.operations = repository_operations,
};

static const char *const visibilities[] = {"private", "all", "selected", NULL};

static const struct service_operation organization_operations[OPERATION_COUNT] = {
	COMMON_OPERATIONS,
	[OPERATION_LIST_REPOSITORIES] = {HTTP_GET, "/secrets/{name}/repositories", list_response,
					 .query = request_page},
	[OPERATION_FIND_REPOSITORY] = {HTTP_GET, "/repos/{account}/{name}",
				       find_repository_response},
};

const struct provider provider_github_organization = {
	COMMON,
	.visibilities = visibilities,
	.stores_are_local = true,
	.stores_are_fixed = true,
	.secrets_per_store = 1000,
	.store_name_is_valid = is_kind,
	.operations = organization_operations,
};
