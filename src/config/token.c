/* Reads the token into locked memory, from a file, a pipe or the environment. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

static const struct secret_kind api_token = {"token", "token_file", "the API token", '!', '~'};

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
	int failed = secret_file_read(&api_token, config, path, token->origin != NULL, &fresh->text,
				      &fresh->from_pipe, why);

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
	if (to == &token->from_environment)
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

	if (*key && env_or_null(key) && env_or_null(provider->email_variable)) {
		failed = read_variable(token, &token->email_from_environment,
				       provider->email_variable);
		if (!failed)
			failed = read_variable(token, &token->from_environment, key);
	}
	for (unsigned i = 0; names[i] && !failed; i++) {
		bool takes = token->from_environment.length == 0 && strcmp(names[i], key) != 0 &&
			     variable_applies(config, i);

		failed = read_variable(token, takes ? &token->from_environment : NULL, names[i]);
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
	int failed = secret_copy(&fresh->text, token->from_environment.data,
				 token->from_environment.length);

	if (!failed && token->email_from_environment.length > 0)
		failed = secret_copy(&fresh->email, token->email_from_environment.data,
				     token->email_from_environment.length);
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
	if (token->from_environment.length > 0)
		return reuse_remembered(token, fresh, why);
	while (names[first + 1] && !variable_applies(config, first))
		first++;
	return secret_explain(why, -ENOENT,
			      "there is no token for %s: give -o token_file=PATH, or set %s",
			      config->provider->name, names[first]);
}

static bool tokens_differ(const struct locked *one, const struct locked *other)
{
	return one->length != other->length ||
	       (one->length > 0 && sodium_memcmp(one->data, other->data, one->length) != 0);
}

static void locked_move(struct locked *to, struct locked *from)
{
	locked_free(to);
	*to = *from;
	memset(from, 0, sizeof(*from));
}

int token_read(struct token *token, const struct config *config, bool *changed, struct buffer *why)
{
	struct token fresh = {.text.pool = token->pool,
			      .email.pool = token->pool,
			      .proxy_password.pool = token->pool};
	int failed;

	if (changed)
		*changed = false;
	if (token->from_pipe)
		return 0;
	token->text.pool = token->email.pool = token->proxy_password.pool = token->pool;
	token->from_environment.pool = token->email_from_environment.pool = token->pool;
	failed = read_environment(token, config);
	if (failed) {
		no_locked_memory(why, failed);
		goto out;
	}
	failed = locate_token(token, config, &fresh, why);
	if (!failed)
		failed = secret_check(&api_token, &fresh.text, fresh.origin, why);
	if (!failed && fresh.email.length > 0)
		failed = secret_check(&api_token, &fresh.email, "the address in CLOUDFLARE_EMAIL",
				      why);
	if (!failed && config->proxy.user)
		failed = proxy_password_read(config, &token->proxy_password, token->origin != NULL,
					     &fresh.proxy_password, why);
	if (failed)
		goto out;
	proxy_wipe_environment();
	if (changed)
		*changed = tokens_differ(&token->text, &fresh.text) ||
			   tokens_differ(&token->email, &fresh.email) ||
			   tokens_differ(&token->proxy_password, &fresh.proxy_password);
	locked_move(&token->text, &fresh.text);
	locked_move(&token->email, &fresh.email);
	locked_move(&token->proxy_password, &fresh.proxy_password);
	free(token->origin);
	token->origin = fresh.origin;
	token->from_pipe = fresh.from_pipe;
	fresh.origin = NULL;
out:
	locked_free(&fresh.text);
	locked_free(&fresh.email);
	locked_free(&fresh.proxy_password);
	free(fresh.origin);
	return failed;
}

void token_finish(struct token *token)
{
	locked_free(&token->text);
	locked_free(&token->email);
	locked_free(&token->proxy_password);
	locked_free(&token->from_environment);
	locked_free(&token->email_from_environment);
	free(token->origin);
	token->origin = NULL;
}
