/* Reads the token into locked memory, from a file, a pipe or the environment. */
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "options.h"

#define TOKEN_MAX 8192

/* Appends a line to `why`. Returns `failed`. */
__attribute__((format(printf, 3, 4))) static int explain(struct buffer *why, int failed,
							 const char *format, ...)
{
	va_list arguments;
	char *line;

	va_start(arguments, format);
	if (vasprintf(&line, format, arguments) < 0)
		line = NULL;
	va_end(arguments);
	buffer_puts(why, line ? line : "out of memory: free some and try again");
	free(line);
	return failed;
}

static int no_locked_memory(struct buffer *why, int failed)
{
	return explain(why, failed,
		       "no locked memory for the token: %s: raise the limit (ulimit -l)",
		       strerror(-failed));
}

static int unreadable(struct buffer *why, int failed, const char *path, const char *remedy)
{
	return explain(why, failed, "can't read the token file %s: %s: %s", path, strerror(-failed),
		       remedy);
}

/* Replaces `to`, with a NUL behind the text that `length` does not count. */
static int copy_text(struct locked *to, const void *text, size_t length)
{
	int failed;

	locked_free(to);
	failed = locked_reserve(to, length + 1);
	if (!failed)
		failed = locked_append(to, text, length);
	if (!failed)
		to->data[length] = '\0';
	return failed;
}

/* Drops one newline at the end, and refuses what can be no token. Repeats nothing of it. */
static int text_check(struct locked *text, const char *origin, struct buffer *why)
{
	if (text->length > 0 && text->data[text->length - 1] == '\n')
		text->data[--text->length] = '\0';
	if (text->length == 0)
		return explain(why, -EINVAL, "%s is empty: put the API token there", origin);
	if (text->length > TOKEN_MAX)
		return explain(
			why, -EINVAL,
			"%s is longer than %d bytes: put the API token there and nothing else",
			origin, TOKEN_MAX);
	for (size_t i = 0; i < text->length; i++)
		if (text->data[i] <= ' ' || text->data[i] >= 0x7f)
			return explain(
				why, -EINVAL,
				"%s has a blank, a line break or another byte that no token has, at position %zu: put "
				"the API token there on one line and nothing else",
				origin, i + 1);
	return 0;
}

/* True for a pipe without a name, which only the parent process can have passed: its owner tells
 * nothing. */
static bool has_no_name(int fd)
{
	struct statfs file_system;

	return fstatfs(fd, &file_system) == 0 && file_system.f_type == PIPEFS_MAGIC;
}

/* The owner of the file decides to whose account values go: trusts root, the mounter, and the user
 * that the daemon becomes. */
static bool owner_is_trusted(const struct config *config, int fd, uid_t owner)
{
	return owner == 0 || owner == config->mounter ||
	       (config->user && owner == config->user_uid) || has_no_name(fd);
}

/* Checks the opened file, behind symbolic links. `again`: a token is held already, and reading must
 * not wait for another. */
static int file_check(const struct config *config, const char *path, int fd, bool again,
		      struct stat *status, struct buffer *why)
{
	if (fstat(fd, status))
		return unreadable(why, -errno, path, "see that it is a readable file");
	if (!S_ISREG(status->st_mode) && (again || !S_ISFIFO(status->st_mode)))
		return explain(
			why, -EINVAL,
			"the token file %s is not a file: give token_file= one that holds the API token",
			path);
	if (!owner_is_trusted(config, fd, status->st_uid))
		return explain(
			why, -EACCES,
			"the token file %s belongs to user %u, who could put another token there: chown %u %s",
			path, status->st_uid, config->mounter, path);
	if (status->st_mode & (S_IROTH | S_IWOTH | S_IWGRP))
		return explain(
			why, -EACCES,
			"the token file %s has mode %04o, which lets others read or change it: chmod 600 %s",
			path, status->st_mode & 07777u, path);
	return 0;
}

/* Waits for the first byte or the end of a pipe that was opened without waiting, and makes it an
 * ordinary one. */
static int pipe_wait(int fd)
{
	struct pollfd pipe = {.fd = fd, .events = POLLIN};

	while (poll(&pipe, 1, -1) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return fcntl(fd, F_SETFL, O_RDONLY) ? -errno : 0;
}

/* Straight into locked memory, to the end or to where it is too long for a token. */
static int read_all(int fd, struct locked *text)
{
	const size_t most = TOKEN_MAX + 2; /* a newline, and one that is too much */
	int failed = locked_reserve(text, most + 1);

	while (!failed && text->length < most) {
		ssize_t got = read(fd, text->data + text->length, most - text->length);

		if (got == 0)
			break;
		if (got > 0)
			text->length += (size_t)got;
		else if (errno != EINTR)
			failed = -errno;
	}
	if (!failed)
		text->data[text->length] = '\0';
	return failed;
}

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
	/* O_NONBLOCK: a FIFO without a writer must not stop the open. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), failed;
	struct stat status;

	if (fd < 0)
		return unreadable(why, -errno, path,
				  "write the API token there, readable for who mounts");
	failed = file_check(config, path, fd, token->origin != NULL, &status, why);
	if (failed)
		goto out;
	fresh->from_pipe = S_ISFIFO(status.st_mode);
	if (fresh->from_pipe)
		failed = pipe_wait(fd);
	if (!failed)
		failed = read_all(fd, &fresh->text);
	if (failed == -ENOBUFS || failed == -ENOMEM)
		no_locked_memory(why, failed);
	else if (failed)
		unreadable(why, failed, path, "see that it is a readable file");
	else
		failed = name_origin(fresh, path, why);
out:
	close(fd);
	return failed;
}

/* Moves one variable into locked memory: /proc/PID/environ would show it for as long as we live. */
static int read_variable(struct token *token, struct locked *to, const char *name)
{
	char *value = getenv(name);
	int failed;

	if (!value || *value == '\0')
		return 0;
	failed = to ? copy_text(to, value, strlen(value)) : 0;
	if (failed)
		return failed;
	sodium_memzero(value, strlen(value));
	if (to == &token->from_environment)
		token->variable = name;
	return 0;
}

/* Remembers the first variable that is set, and only overwrites the others: they would be tokens
 * too. */
static int read_environment(struct token *token, const struct provider *provider)
{
	const char *key = provider->key_variable ? provider->key_variable : "";
	int failed = 0;

	if (*key && env_or_null(key) && env_or_null(provider->email_variable)) {
		failed = read_variable(token, &token->email_from_environment,
				       provider->email_variable);
		if (!failed)
			failed = read_variable(token, &token->from_environment, key);
	}
	for (const char *const *name = provider->token_variables; *name && !failed; name++) {
		bool takes = token->from_environment.length == 0 && strcmp(*name, key) != 0;

		failed = read_variable(token, takes ? &token->from_environment : NULL, *name);
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
}

static int reuse_remembered(const struct token *token, struct token *fresh, struct buffer *why)
{
	int failed = copy_text(&fresh->text, token->from_environment.data,
			       token->from_environment.length);

	if (!failed && token->email_from_environment.length > 0)
		failed = copy_text(&fresh->email, token->email_from_environment.data,
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
	int failed;

	if (config->token_file)
		return read_file(token, config, fresh, config->token_file, why);
	failed = read_credential(token, config, fresh, why);
	if (failed != -ENOENT)
		return failed;
	if (token->from_environment.length > 0)
		return reuse_remembered(token, fresh, why);
	return explain(why, -ENOENT, "there is no token for %s: give -o token_file=PATH, or set %s",
		       config->provider->name, config->provider->token_variables[0]);
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
	struct token fresh = {.text.pool = token->pool, .email.pool = token->pool};
	int failed;

	if (changed)
		*changed = false;
	if (token->from_pipe)
		return 0;
	token->text.pool = token->email.pool = token->pool;
	token->from_environment.pool = token->email_from_environment.pool = token->pool;
	failed = read_environment(token, config->provider);
	if (failed) {
		no_locked_memory(why, failed);
		goto out;
	}
	failed = locate_token(token, config, &fresh, why);
	if (!failed)
		failed = text_check(&fresh.text, fresh.origin, why);
	if (!failed && fresh.email.length > 0)
		failed = text_check(&fresh.email, "the address in CLOUDFLARE_EMAIL", why);
	if (failed)
		goto out;
	if (changed)
		*changed = tokens_differ(&token->text, &fresh.text) ||
			   tokens_differ(&token->email, &fresh.email);
	locked_move(&token->text, &fresh.text);
	locked_move(&token->email, &fresh.email);
	free(token->origin);
	token->origin = fresh.origin;
	token->from_pipe = fresh.from_pipe;
	fresh.origin = NULL;
out:
	locked_free(&fresh.text);
	locked_free(&fresh.email);
	free(fresh.origin);
	return failed;
}

void token_finish(struct token *token)
{
	locked_free(&token->text);
	locked_free(&token->email);
	locked_free(&token->from_environment);
	locked_free(&token->email_from_environment);
	free(token->origin);
	token->origin = NULL;
}
