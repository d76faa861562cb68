/* Reads which proxy there is on the way to the service, and its password. */
#include <sodium.h>
#include <string.h>

#include "options.h"
#include "sstorefs/endpoint.h"

/* Variables that name a proxy, in the order in which curl(1) reads them. */
static const char *const variables[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
#define VARIABLES (sizeof(variables) / sizeof(*variables))

static int parse_proxy(struct config *config, const char *origin, const char *url)
{
	const char *fault;
	int failed;

	proxy_free(&config->proxy);
	failed = proxy_parse(&config->proxy, url, &fault);
	if (failed == -EINVAL)
		usage_error("the address in %s %s: give one such as http://USER@HOST:PORT", origin,
			    fault);
	return failed == -ENOMEM ? oom_error() : failed;
}

int opt_proxy(struct config *config, const struct mount_option *option, const char *value)
{
	int failed = parse_proxy(config, option->name, value);

	if (!failed && config->proxy.has_password)
		return usage_error(
			"the password in '%s' can be read by every user of this machine: "
			"write it to a file and give -o proxy_password_file=PATH",
			option->name);
	return failed;
}

static int read_variables(struct config *config, const char *host)
{
	const char *exempt = env_or_null("no_proxy"), *url = NULL;
	size_t i = 0;

	if (!exempt)
		exempt = env_or_null("NO_PROXY");
	while (i < VARIABLES && !(url = env_or_null(variables[i])))
		i++;
	if (!url || proxy_is_bypassed(host, exempt ? exempt : ""))
		return 0;
	config->proxy_variable = variables[i];
	return parse_proxy(config, variables[i], url);
}

int proxy_choose(struct config *config)
{
	struct endpoint endpoint;
	const char *fault;
	int failed = endpoint_parse(&endpoint, config->endpoint, &fault);

	if (failed == -ENOMEM)
		oom_error();
	else if (!failed && config->proxy.url && !endpoint.https && !config->proxy.loopback)
		failed = usage_error("the proxy %s would get the token in clear text: give an "
				     "endpoint of https://",
				     config->proxy.url);
	else if (!failed && !config->proxy.url && !endpoint.loopback)
		failed = read_variables(config, endpoint.host);
	if (!failed && config->proxy_password_file && !config->proxy.user)
		failed = usage_error("proxy_password_file= is for a user: give one in proxy=, such "
				     "as http://USER@HOST:PORT");
	endpoint_free(&endpoint);
	return failed;
}

int proxy_password_read(const struct config *config, const struct locked *held, bool again,
			struct locked *password, struct buffer *why)
{
	static const struct secret_kind kind = {"proxy password", "proxy_password_file",
						"the password of the proxy", ' ', 0xff};
	const char *path = config->proxy_password_file;
	char *text = NULL;
	bool from_pipe;
	int failed;

	if (path) {
		failed = secret_file_read(&kind, config, path, again, password, &from_pipe, why);
		return failed ? failed : secret_check(&kind, password, path, why);
	}
	if (again)
		failed = secret_copy(password, held->data, held->length);
	else if (config->proxy_variable && (text = proxy_password(getenv(config->proxy_variable))))
		failed = secret_copy(password, text, strlen(text));
	else
		failed = 0;
	proxy_password_free(text);
	return failed ? no_locked_memory(why, failed) : 0;
}

void proxy_wipe_environment(void)
{
	for (size_t i = 0; i < VARIABLES; i++) {
		char *value = getenv(variables[i]);

		if (value && strchr(value, '@'))
			sodium_memzero(value, strlen(value));
	}
}
