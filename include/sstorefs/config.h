#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sstorefs/buffer.h"
#include "sstorefs/locked.h"
#include "sstorefs/place.h"
#include "sstorefs/provider.h"
#include "sstorefs/proxy.h"

/*
 * The command line as the rest of the program sees it.
 */
enum commit { COMMIT_CLOSE, COMMIT_FSYNC, COMMIT_WRITE };
enum sizes { /* in the order of the choices of `sizes` and `commit` in options.c */
	     SIZES_SHOWN,
	     SIZES_HIDDEN,
	     SIZES_OF_OWN, /* shown unless others than the mounter can look (allow_other) */
};
enum action {
	ACTION_MOUNT,
	ACTION_FAKE,  /* mount -f: all but the mount */
	ACTION_CHECK, /* of `source`, or where that is NULL of the mount at `mountpoint` */
	ACTION_HELP,
	ACTION_VERSION,
};

struct config {
	enum action action;
	bool foreground, debug;
	bool json;     /* --check tells what it found as JSON */
	bool alive;    /* --check of a mount only looks at whether its daemon answers */
	bool log_json; /* so does the log */

	char *source;		  /* as given: "fastly:STORE" */
	char *mountpoint;	  /* absolute, or /dev/fd/N */
	int mount_fd;		  /* N of /dev/fd/N, else -1 */
	const char *mounted_on;	  /* where /dev/fd/N is mounted, as far as is known; else NULL */
	bool foreign_pids;	  /* that mount's process numbers are of another PID namespace */
	struct mount_place place; /* the mountpoint, opened; none at /dev/fd/N */
	bool dead_mount; /* a mount of ours whose daemon is gone (ENOTCONN) lies there: unmount it
			    first */
	const struct provider *provider;
	char *account; /* Cloudflare account id or Stripe account; NULL */
	char *store;   /* displayed name of the one store, or NULL for all */

	char *token_file, *endpoint, *cacert;
	bool host_from_variable;    /* `endpoint` is the provider's host_variable */
	struct proxy proxy;	    /* of proxy= or a variable that counts for the endpoint */
	const char *proxy_variable; /* the one that named it; static, or NULL */
	char *proxy_password_file;
	char *signing_key; /* base64, or NULL: built in */
	bool signing_key_from_api;
	uint64_t ttl, negative_ttl; /* milliseconds; ttl CLOCK_NEVER with `indefinite` */
	bool minimal;		    /* nothing is kept longer than the call that asked */
	uint64_t timeout;	    /* milliseconds */
	bool unpaced; /* the server does not ask for the pace that the service asks for */
	bool keep_newline;
	enum commit commit;
	enum sizes sizes;
	char *scopes, *comment;
	uint64_t expires;		 /* seconds; 0: never */
	char *users;			 /* `usr_a:usr_b` */
	char *visibility, *repositories; /* of new secrets; NULL: the provider's default, none */
	char *stripe_context, *stripe_version; /* headers; NULL: none, the provider's own */
	uid_t uid;
	gid_t gid;
	mode_t umask;
	uid_t mounter; /* the user that started the program */
	char *user;    /* the user that the daemon becomes once it is mounted; NULL: none */
	uid_t user_uid;
	gid_t user_gid;
	bool nocreate, read_only, allow_other, default_permissions;
	double entry_timeout, attr_timeout, negative_timeout; /* seconds; < 0: not given */
	struct buffer mount_options;			      /* what libfuse gets, `a,b=c` */
};

/*
 * Reads argv. Returns 0 with `config` filled in, or -EINVAL after one line on stderr that names the
 * cause and the remedy. Call config_finish in both cases.
 */
int config_read(struct config *config, int argc, char **argv);
void config_finish(struct config *config);

/*
 * Looks at the mountpoint, opens it as `place`, makes it absolute, and sets `dead_mount`; at
 * /dev/fd/N only for whether it is a FUSE descriptor that is mounted. Returns 0, or -errno
 * after one line on stderr: a mount that failed (status 32), while a failure of config_read is
 * wrong usage (status 1).
 */
int config_check_mountpoint(struct config *config);

/* True if something is mounted below our mount, as far as this process can see, or if it can't tell
 * (/dev/fd/N). */
bool mountpoint_has_submounts(const struct config *config);

/* Returns what to correct in a source that the service does not know (static), or NULL: it looks
 * right. */
const char *config_source_remedy(const struct config *config);

/* True if client keys are to be verified before the mount: signing_key= was given by hand, or the
 * key that is built in is perhaps not that of the endpoint. */
bool config_doubts_signing_key(const struct config *config);

/* Returns the end of a message about a signature that does not fit, which says what to give
 * (static). */
const char *config_signing_key_remedy(const struct config *config);

/* True if scopes= has a word that is no scope as far as is known; `line` then says so. */
bool config_explain_scopes(const struct config *config, struct buffer *line);

void config_print_help(void);
void config_print_version(void);

/* The token, from token_file=, $CREDENTIALS_DIRECTORY/sstorefs-token, or the service's variables,
 * in this order (sstorefs(1)). Held in locked memory; the environment's bytes are overwritten at
 * the first token_read, which remembers what it took. */
enum token_part {
	TOKEN_TEXT,
	TOKEN_EMAIL, /* Cloudflare */
	TOKEN_PROXY_PASSWORD,
	TOKEN_PARTS,
};
struct token {
	struct locked_pool *pool;
	/* Each ends with a NUL, which `length` does not count, or is empty if there is none. */
	struct locked held[TOKEN_PARTS];
	struct locked environment[TOKEN_PARTS]; /* as the variables had them */
	const char *variable; /* the one that environment[TOKEN_TEXT] came from; static */
	bool from_pipe;	      /* it can be read only once, and never changes */
	bool lacks_email;     /* the environment has a key without the address that goes with it */
	const char *mode;     /* "live" or "test" where it tells (static), or NULL */
	char *origin;	      /* "the token in /etc/sstorefs/token", for messages */
};

/*
 * (Re)reads the token; the first time into a zeroed struct with `pool` set. Returns 0 and sets
 * `changed` (may be NULL) if it differs from what was held; or -EACCES, -ENOENT, -EINVAL, … with
 * one line in `why` that names cause and remedy; what was held is then kept.
 */
int token_read(struct token *token, const struct config *config, bool *changed, struct buffer *why);
void token_finish(struct token *token);

/* Overwrites the variables that could hold a token or a password, in a process that is not the one
 * to read it. */
void token_wipe_environment(const struct config *config);

/* Returns the mountpoint as logs and metrics name it. */
static inline const char *config_mountpoint_name(const struct config *config)
{
	return config->mounted_on ? config->mounted_on : config->mountpoint;
}
