/* Parses SOURCE and the endpoint: which service, account and store, at which address. */
#include <string.h>

#include "options.h"
#include "sstorefs/endpoint.h"
#include "sstorefs/name.h"

/* True if listings may show `store`: the second of two stores with one name is shown as NAME~ID,
 * which may be no valid name. */
static bool is_listable_name(const struct provider *provider, const char *store)
{
	const char *tilde = strrchr(store, '~');
	char name[NAME_LENGTH_MAX + 1] = "";

	if (provider->lists_unvalidated_names || provider->store_name_is_valid(store))
		return true;
	if (!tilde || !tilde[1] || (size_t)(tilde - store) > NAME_LENGTH_MAX)
		return false;
	memcpy(name, store, (size_t)(tilde - store));
	return provider->store_name_is_valid(name);
}

static int parse_store(struct config *config, const char *store)
{
	if (!name_is_canonical(store) || !is_listable_name(config->provider, store))
		return usage_error(
			"'%s' can't be the name of a store: give %s:%s%sSTORE with a name as ls shows it",
			store, config->provider->name, config->account ? config->account : "",
			config->account ? "/" : "");
	config->store = strdup(store);
	return config->store ? 0 : oom_error();
}

/* True if `text` may be an account id: 32 hex digits as far as is known, but the schema limits only
 * their number (doc/apis.md, Cloudflare 3). */
static bool is_account_id(const char *text)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	return *text && strlen(text) <= 32 && text[strspn(text, alphabet)] == '\0';
}

const char *config_source_remedy(const struct config *config)
{
	const char *account = config->account;
	bool is_id = account && strlen(account) == 32 && strspn(account, "0123456789abcdef") == 32;

	return config->provider == &provider_cloudflare && !is_id
		       ? "give the account's id, 32 hex digits, instead of its name"
		       : NULL;
}

/* Reads ACCOUNT_ID or ACCOUNT_ID/STORE; the account may come from the environment. */
static int cloudflare_source(struct config *config, const char *rest)
{
	size_t length = strcspn(rest, "/");
	const char *account = rest;

	if (length == 0) {
		account = env_or_null("CLOUDFLARE_ACCOUNT_ID");
		if (!account)
			return usage_error(
				"the source '%s' names no account: give cloudflare:ACCOUNT_ID, or set "
				"CLOUDFLARE_ACCOUNT_ID",
				config->source);
	}
	free(config->account); /* what another service's option says */
	config->account = account == rest ? strndup(rest, length) : strdup(account);
	if (!config->account)
		return oom_error();
	if (!is_account_id(config->account))
		return usage_error("'%s' is no account id, which has 32 letters and digits: give "
				   "the id instead of the account's name, as the address of the "
				   "dashboard and `wrangler whoami` show it",
				   config->account);
	return rest[length] == '\0' || rest[length + 1] == '\0'
		       ? 0
		       : parse_store(config, rest + length + 1);
}

/* Reads STORE or nothing. */
static int store_source(struct config *config, const char *rest)
{
	if (*rest == '\0')
		return 0;
	if (config->provider->stores_are_local && !config->provider->store_name_is_valid(rest))
		return usage_error(
			"'%s' is no scope: give stripe:, stripe:account or stripe:usr_ID", rest);
	return parse_store(config, rest);
}

#define OWNER	   "^[A-Za-z0-9_-]{1,100}"
#define REPOSITORY "/([A-Za-z0-9_-]|[.][.]?[A-Za-z0-9_-]|[.]{3})[A-Za-z0-9_.-]{0,100}"

/* Reads OWNER/REPO, OWNER/REPO/STORE, or ORG. */
static int github_source(struct config *config, const char *rest)
{
	bool has_repository = text_matches(OWNER REPOSITORY "(/[^/]*)?$", rest);
	size_t length = strcspn(rest, "/");

	if (!has_repository && !text_matches(OWNER "$", rest))
		return usage_error("the source '%s' names no repository or organization: give "
				   "github:OWNER/REPO, github:OWNER/REPO/STORE or github:ORG",
				   config->source);
	if (has_repository)
		length += 1 + strcspn(rest + length + 1, "/");
	else
		config->provider = &provider_github_organization;
	free(config->account); /* what another service's option says */
	config->account = strndup(rest, length);
	if (!config->account)
		return oom_error();
	return rest[length] && rest[length + 1] ? parse_store(config, rest + length + 1) : 0;
}

static const struct {
	const char *service;
	int (*read)(struct config *config, const char *rest);
	const char *behind; /* what the shortest source has behind the colon */
} sources[] = {
	{"fastly", store_source, ""},
	{"cloudflare", cloudflare_source, "ACCOUNT_ID"},
	{"stripe", store_source, ""},
	{"github", github_source, "OWNER/REPO"},
};

static int no_such_source(const char *source)
{
	size_t length = strcspn(source, ":");

	for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
		if (is_typo_of(source, length, sources[i].service))
			return usage_error("'%s' is no source: did you mean '%s:%s'?", source,
					   sources[i].service,
					   source[length] ? source + length + 1
							  : sources[i].behind);
	return usage_error("'%s' is no source: give one such as fastly: or fastly:STORE, see "
			   "sstorefs --help for the services",
			   source);
}

int parse_source(struct config *config, const char *source)
{
	size_t length = strcspn(source, ":");

	config->source = strdup(source);
	if (!config->source)
		return oom_error();
	config->provider = source[length] ? provider_find(source, length) : NULL;
	for (size_t i = 0; config->provider && i < sizeof sources / sizeof *sources; i++)
		if (strcmp(config->provider->name, sources[i].service) == 0)
			return sources[i].read(config, source + length + 1);
	return no_such_source(source);
}

int parse_endpoint(struct config *config, const char *origin, const char *url)
{
	const char *fault = NULL;
	struct endpoint endpoint;
	size_t length = strlen(url);
	int failed = endpoint_parse(&endpoint, url, &fault);

	endpoint_free(&endpoint);
	if (failed == -ENOMEM)
		return oom_error();
	if (failed)
		return usage_error(
			"the address in %s %s: give https://HOST, or http:// to a loopback address",
			origin, fault);
	while (length > 0 && url[length - 1] == '/')
		length--;
	free(config->endpoint);
	config->endpoint = strndup(url, length);
	return config->endpoint ? 0 : oom_error();
}
