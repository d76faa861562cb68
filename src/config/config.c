/* Fills struct config from the command line and the environment. */
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "sstorefs/clock.h"

static void set_defaults(struct config *config)
{
	memset(config, 0, sizeof(*config));
	config->place = PLACE_NONE;
	config->mount_fd = -1;
	config->ttl = 60 * 1000;
	config->negative_ttl = 5 * 1000;
	config->timeout = 30 * 1000;
	config->uid = config->mounter = getuid();
	config->gid = getgid();
	config->umask = 077;
	config->sizes = SIZES_OF_OWN;
	config->entry_timeout = config->attr_timeout = config->negative_timeout = -1;
}

/* Keeps the mountpoint. /dev/fd/N is a FUSE descriptor that is mounted already, as mount.fuse3 -o
 * drop_privileges makes it. */
static int mountpoint_read(struct config *config, const char *mountpoint)
{
	static const char prefix[] = "/dev/fd/";
	const char *digits = mountpoint + strlen(prefix);

	config->mountpoint = strdup(mountpoint);
	if (!config->mountpoint)
		return oom_error();
	if (strncmp(mountpoint, prefix, strlen(prefix)) != 0)
		return 0;
	if (*digits == '\0' || strlen(digits) > 6 || digits[strspn(digits, "0123456789")] != '\0')
		return usage_error("'%s' is no descriptor: give /dev/fd/N with a number",
				   mountpoint);
	config->mount_fd = atoi(digits);
	config->mounted_on = env_or_null("SSTOREFS_MOUNTPOINT");
	config->foreign_pids = env_or_null("SSTOREFS_FOREIGN_PIDS") != NULL;
	return 0;
}

/* Takes the endpoint from the variable that names the host of a server of one's own. */
static int host_read(struct config *config)
{
	const struct provider *provider = config->provider;
	const char *host = provider->host_variable ? env_or_null(provider->host_variable) : NULL;
	struct buffer url = {0};
	int failed;

	if (!host || strcmp(host, provider->host) == 0)
		return 0;
	buffer_printf(&url, "https://%s%s", host, provider->host_path);
	failed = buffer_error(&url)
			 ? oom_error()
			 : parse_endpoint(config, provider->host_variable, buffer_cstr(&url));
	buffer_finish(&url);
	config->host_from_variable = true;
	return failed;
}

static int environment_read(struct config *config)
{
	const char *const *variable = config->provider->endpoint_variables;
	int failed = 0;

	for (; variable && *variable && !config->endpoint && !failed; variable++) {
		const char *url = env_or_null(*variable);

		if (url)
			failed = parse_endpoint(config, *variable, url);
	}
	if (!failed && !config->endpoint)
		failed = host_read(config);
	if (!failed && !config->endpoint)
		failed = parse_endpoint(config, config->provider->name, config->provider->endpoint);
	if (strcmp(config->provider->name, "fastly") == 0 && !config->signing_key &&
	    env_or_null("FASTLY_USE_API_SIGNING_KEY"))
		config->signing_key_from_api = true;
	return failed ? failed : proxy_choose(config);
}

bool config_doubts_signing_key(const struct config *config)
{
	const struct provider *provider = config->provider;
	bool signs = provider->seals && !provider->store_keys && !config->read_only;
	bool is_built_in = !config->signing_key && !strcmp(config->endpoint, provider->endpoint);

	return signs && !config->signing_key_from_api && !is_built_in;
}

const char *config_signing_key_remedy(const struct config *config)
{
	if (config->signing_key_from_api)
		return "";
	return config->signing_key
		       ? ": signing_key= is not the key that the service signs with: give that key, or signing_key=api, or leave the option out"
		       : ": the key that is built in is not the one that the service signs with: give that as signing_key=BASE64, or signing_key=api";
}

/* allow_other implies default_permissions. Returns 0, or -EINVAL after a message. */
static int permissions_complete(struct config *config)
{
	if (!config->allow_other || config->default_permissions)
		return 0;
	if (config->mount_fd >= 0)
		return usage_error("allow_other on %s lets every user write every secret: mount it "
				   "with default_permissions, and give that option here too",
				   config->mountpoint);
	config->default_permissions = true;
	return 0;
}

/* Builds the options for libfuse, escaped as it reads them. Not `ro`: `errors` could not explain
 * what the kernel refuses by itself. */
static int mount_options_build(struct config *config)
{
	struct buffer *built = &config->mount_options;

	buffer_puts(built, "fsname=");
	for (const char *byte = config->source; *byte != '\0'; byte++) {
		if (*byte == ',' || *byte == '\\')
			buffer_puts(built, "\\");
		buffer_append(built, byte, 1);
	}
	buffer_puts(built, ",subtype=sstorefs,nosuid,nodev,noexec");
	if (config->allow_other)
		buffer_puts(built, ",allow_other");
	if (config->default_permissions)
		buffer_puts(built, ",default_permissions");
	return buffer_error(built) ? oom_error() : 0;
}

int config_read(struct config *config, int argc, char **argv)
{
	struct arguments arguments = {0};
	int failed;

	set_defaults(config);
	failed = arguments_read(config, &arguments, argc, argv);
	if (failed || config->action >= ACTION_HELP)
		return failed;
	failed = arguments_check(config, &arguments);
	if (!failed && arguments_name_mount(config, &arguments))
		return mountpoint_read(config, arguments.source);
	if (!failed)
		failed = parse_source(config, arguments.source);
	if (!failed)
		failed = options_check_service(config, &arguments.given);
	if (!failed && arguments.mountpoint)
		failed = mountpoint_read(config, arguments.mountpoint);
	if (!failed)
		failed = environment_read(config);
	if (!failed && arguments.mountpoint)
		failed = permissions_complete(config);
	if (!failed)
		failed = mount_options_build(config);
	return failed;
}

void config_finish(struct config *config)
{
	char *texts[] = {
		config->source,		config->mountpoint,	config->account,
		config->store,		config->token_file,	config->endpoint,
		config->cacert,		config->scopes,		config->comment,
		config->users,		config->signing_key,	config->user,
		config->stripe_context, config->stripe_version, config->proxy_password_file,
		config->visibility,	config->repositories};

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	proxy_free(&config->proxy);
	buffer_finish(&config->mount_options);
	place_close(&config->place);
	memset(config, 0, sizeof(*config));
	config->place = PLACE_NONE;
}
