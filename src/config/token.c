/* Reads the token into locked memory, from a file, a pipe or the environment. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

static const struct secret_kind api_token = {"token", "token_file", "the API token",
					     '!',     '~',	    true};

/* Notes where the token came from. Returns 0 or -ENOMEM. */
static int name_origin(struct token *fresh, const char *place, struct buffer *why)
{
	if (asprintf(&fresh->origin, "the token in %s", place) >= 0)
		return 0;
	fresh->origin = NULL;
	return no_locked_memory(why, -ENOMEM);
}

static int read_file(const struct token *token, const struct config *config, struct token *fresh,
		     const char *path, struct buffer *why)
{
	int failed = secret_file_read(&api_token, config, path, token->origin != NULL,
				      &fresh->held[TOKEN_TEXT], &fresh->from_pipe, why);

	return failed ? failed : name_origin(fresh, path, why);
}

/* Moves one variable into locked memory: /proc/PID/environ would show it for as long as we live. */
static int read_variable(struct token *token, struct locked *to, const char *name)
{
	char *value = getenv(name);
	int failed;

	if (!value || *value == '\0')
		return 0;
	failed = to ? secret_copy(to, value, strlen(value)) : 0;
	if (failed)
		return failed;
	sodium_memzero(value, strlen(value));
	if (to == &token->environment[TOKEN_TEXT])
		token->variable = name;
	return 0;
}

/* True if the token of the service's variable `index` may go to the endpoint. */
static bool variable_applies(const struct config *config, unsigned index)
{
	const struct provider *provider = config->provider;

	return index < provider->own_server_tokens
		       ? strcmp(config->endpoint, provider->endpoint) != 0
		       : !config->host_from_variable;
}

/* Remembers the first variable that is set and applies, and only overwrites the others: they would
 * be tokens too. */
static int read_environment(struct token *token, const struct config *config)
{
	const struct provider *provider = config->provider;
	const char *const *names = provider->token_variables;
	const char *key = provider->key_variable ? provider->key_variable : "";
	int failed = 0;

	token->lacks_email |= *key && env_or_null(key) && !env_or_null(provider->email_variable);
	if (*key && env_or_null(key) && env_or_null(provider->email_variable)) {
		failed = read_variable(token, &token->environment[TOKEN_EMAIL],
				       provider->email_variable);
		if (!failed)
			failed = read_variable(token, &token->environment[TOKEN_TEXT], key);
	}
	for (unsigned i = 0; names[i] && !failed; i++) {
		bool takes = token->environment[TOKEN_TEXT].length == 0 &&
			     strcmp(names[i], key) != 0 && variable_applies(config, i);

		failed = read_variable(token, takes ? &token->environment[TOKEN_TEXT] : NULL,
				       names[i]);
	}
	return failed;
}

void token_wipe_environment(const struct config *config)
{
	const struct provider *provider = config->provider;
	struct token unused = {0};

	if (provider->email_variable)
		read_variable(&unused, NULL, provider->email_variable);
	for (const char *const *name = provider->token_variables; *name; name++)
		read_variable(&unused, NULL, *name);
	proxy_wipe_environment();
}

static int reuse_remembered(const struct token *token, struct token *fresh, struct buffer *why)
{
	int failed = 0;

	for (unsigned part = 0; part < TOKEN_PARTS && !failed; part++)
		if (token->environment[part].length > 0)
			failed = secret_copy(&fresh->held[part], token->environment[part].data,
					     token->environment[part].length);
	return failed ? no_locked_memory(why, failed) : name_origin(fresh, token->variable, why);
}

/* Reads systemd's credential. Returns -ENOENT, with nothing in `why`, where there is none. */
static int read_credential(const struct token *token, const struct config *config,
			   struct token *fresh, struct buffer *why)
{
	const char *directory = env_or_null("CREDENTIALS_DIRECTORY");
	char *path;
	int failed;

	if (!directory)
		return -ENOENT;
	if (asprintf(&path, "%s/sstorefs-token", directory) < 0)
		return no_locked_memory(why, -ENOMEM);
	failed = read_file(token, config, fresh, path, why);
	if (failed == -ENOENT)
		buffer_clear(why);
	free(path);
	return failed;
}

/* Reads the first of the places of the token that has one, in the order of sstorefs(1). */
static int locate_token(const struct token *token, const struct config *config, struct token *fresh,
			struct buffer *why)
{
	const char *const *names = config->provider->token_variables;
	unsigned first = 0;
	int failed;

	if (config->token_file)
		return read_file(token, config, fresh, config->token_file, why);
	failed = read_credential(token, config, fresh, why);
	if (failed != -ENOENT)
		return failed;
	if (token->environment[TOKEN_TEXT].length > 0)
		return reuse_remembered(token, fresh, why);
	while (names[first + 1] && !variable_applies(config, first))
		first++;
	if (token->lacks_email)
		return secret_explain(
			why, -ENOENT,
			"%s is set without %s, which goes with it: set both, give -o token_file=PATH, or "
			"set %s",
			config->provider->key_variable, config->provider->email_variable,
			names[first]);
	return secret_explain(why, -ENOENT,
			      "there is no token for %s: give -o token_file=PATH, or set %s",
			      config->provider->name, names[first]);
}

static bool tokens_differ(const struct locked *one, const struct locked *other)
{
	return one->length != other->length ||
	       (one->length > 0 && sodium_memcmp(one->data, other->data, one->length) != 0);
}

/* Takes over what is held by `fresh`. Returns true if something differs. */
static bool replace(struct token *token, struct token *fresh)
{
	bool differs = false;

	for (unsigned part = 0; part < TOKEN_PARTS; part++) {
		differs |= tokens_differ(&token->held[part], &fresh->held[part]);
		locked_free(&token->held[part]);
		token->held[part] = fresh->held[part];
		fresh->held[part] = (struct locked){0};
	}
	free(token->origin);
	token->origin = fresh->origin;
	token->from_pipe = fresh->from_pipe;
	fresh->origin = NULL;
	return differs;
}

int token_read(struct token *token, const struct config *config, bool *changed, struct buffer *why)
{
	struct token fresh = {0};
	struct locked *held = fresh.held;
	bool differs = false;
	int failed = 0;

	if (token->from_pipe)
		goto out;
	for (unsigned part = 0; part < TOKEN_PARTS; part++)
		held[part].pool = token->environment[part].pool = token->pool;
	failed = read_environment(token, config);
	if (failed) {
		no_locked_memory(why, failed);
		goto out;
	}
	failed = locate_token(token, config, &fresh, why);
	if (!failed)
		failed = secret_check(&api_token, &held[TOKEN_TEXT], fresh.origin, why);
	if (!failed && held[TOKEN_EMAIL].length > 0)
		failed = secret_check(&api_token, &held[TOKEN_EMAIL],
				      "the address in CLOUDFLARE_EMAIL", why);
	if (!failed && config->proxy.user)
		failed = proxy_password_read(config, &token->held[TOKEN_PROXY_PASSWORD],
					     token->origin != NULL, &held[TOKEN_PROXY_PASSWORD],
					     why);
	if (failed)
		goto out;
	proxy_wipe_environment();
	differs = replace(token, &fresh);
	if (config->provider->token_mode)
		token->mode =
			config->provider->token_mode((const char *)token->held[TOKEN_TEXT].data);
out:
	if (changed)
		*changed = differs;
	token_finish(&fresh);
	return failed;
}

void token_finish(struct token *token)
{
	for (unsigned part = 0; part < TOKEN_PARTS; part++) {
		locked_free(&token->held[part]);
		locked_free(&token->environment[part]);
	}
	free(token->origin);
	token->origin = NULL;
}
