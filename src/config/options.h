/* The table of options, and messages about them. */
#pragma once

#include <errno.h>
#include <stdlib.h>

#include "sstorefs/config.h"

/* A row of the table of options. */
struct mount_option {
	const char *name;
	const char *argument; /* its value in --help, `a|b` if it is one of these; NULL: none */
	const char *service;  /* the only one it is for; NULL: all */
	/* NULL: the option is always refused, with `fault`. */
	int (*apply)(struct config *config, const struct mount_option *option, const char *value);
	size_t member;	     /* of struct config, for those that only store */
	const char *help;    /* NULL: taken, but not shown */
	const char *pattern; /* what a value must match (regex(7)); NULL: any but an empty one; "":
				any */
	const char *fault;   /* what is wrong with one that doesn't, and the remedy */
};

int opt_uid(struct config *config, const struct mount_option *option, const char *value);
int opt_gid(struct config *config, const struct mount_option *option, const char *value);
int opt_umask(struct config *config, const struct mount_option *option, const char *value);
int opt_user(struct config *config, const struct mount_option *option, const char *value);
int opt_proxy(struct config *config, const struct mount_option *option, const char *value);

extern const struct mount_option options[];
extern const unsigned option_count;

/* Which rows of the table the command line named. */
#define OPTIONS_MAX 64
struct options_given {
	bool row[OPTIONS_MAX];
};

/* The arguments of a command line. */
struct arguments {
	const char *source, *mountpoint; /* NULL: not given */
	struct options_given given;
};

/* Reads argv into `arguments` and the members of `config` that flags and options set. Stops at
 * --help and --version. Returns 0, -EINVAL or -ENOMEM after a message. */
int arguments_read(struct config *config, struct arguments *arguments, int argc, char **argv);

/* Checks what of the command line goes together. Returns 0, or -EINVAL after a message. */
int arguments_check(const struct config *config, const struct arguments *arguments);

/* True where --check names a mount's directory instead of a source. */
bool arguments_name_mount(const struct config *config, const struct arguments *arguments);

/* Reads one argument of -o: options between commas, with `\,` and `\\` inside of values. Returns 0,
 * -EINVAL or -ENOMEM after a message. */
int options_read(struct config *config, struct options_given *given, const char *text);

/* Checks that all given options are for the service of the source, which may follow them. Returns
 * 0, or -EINVAL after a message. */
int options_check_service(const struct config *config, const struct options_given *given);

/* True if the extended regular expression `pattern` matches `value`. */
bool text_matches(const char *pattern, const char *value);

/* Reads SOURCE into provider, account and store. Returns 0, -EINVAL or -ENOMEM after a message. */
int parse_source(struct config *config, const char *source);

/* Checks `url` (from `origin`, for the message) and keeps it without its trailing slashes. Returns
 * 0, -EINVAL or -ENOMEM after a message. */
int parse_endpoint(struct config *config, const char *origin, const char *url);

/* Takes the proxy from the environment where no option gives one, and checks that it goes with the
 * endpoint. Returns 0, -EINVAL or -ENOMEM after a message. */
int proxy_choose(struct config *config);

/* Reads the password of the proxy: from its file, from the variable that names the proxy, or
 * `again` as it is held. Empty: it has none. Returns 0, or -errno with one line in `why`. */
int proxy_password_read(const struct config *config, const struct locked *held, bool again,
			struct locked *password, struct buffer *why);

/* Overwrites passwords in variables that name proxies. */
void proxy_wipe_environment(void);

/* True if one change makes the `length` bytes at `typed` the word `meant`: a letter that is
 * missing, too many or another one, two that changed places, capitals, or '-' for '_'. */
bool is_typo_of(const char *typed, size_t length, const char *meant);

/* Returns an environment variable; NULL where it is unset or empty. */
const char *env_or_null(const char *name);

/* Prints one line on stderr, behind the program's name. Returns -EINVAL. */
int usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints that the value of an option is wrong: "NAME=VALUE FAULT". Returns -EINVAL. */
int option_error(const struct mount_option *option, const char *value, const char *fault);

/* Prints that memory ran out. Returns -ENOMEM. */
int oom_error(void);

/* Text that must stay secret, on the one line of a file. */
struct secret_kind {
	const char *noun;	   /* "token" */
	const char *option;	   /* the one that names the file */
	const char *content;	   /* "the API token" */
	unsigned char first, last; /* the bytes that it may have are between these two */
	bool is_word;		   /* it has no quotes, and does not begin with NAME= */
};

/* Reads the file into `text`, with a NUL behind it that `length` does not count, and tells whether
 * it is a pipe. `again`: it was read before, and reading must not wait. Returns 0, or -errno
 * with one line in `why`. */
int secret_file_read(const struct secret_kind *kind, const struct config *config, const char *path,
		     bool again, struct locked *text, bool *from_pipe, struct buffer *why);

/* Drops one end of line (LF or CRLF), and refuses what cannot be of that kind. Returns 0, or
 * -EINVAL with one line in `why` that repeats nothing of the text. */
int secret_check(const struct secret_kind *kind, struct locked *text, const char *origin,
		 struct buffer *why);

/* Replaces `to`, with a NUL behind the text that `length` does not count. Returns 0, -ENOBUFS or
 * -ENOMEM. */
int secret_copy(struct locked *to, const void *text, size_t length);

/* Append a line to `why`: as printf does, or that memory for the token can't be locked. Return
 * `failed`. */
int secret_explain(struct buffer *why, int failed, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int no_locked_memory(struct buffer *why, int failed);
