/* The command line: what is understood, what is refused, and that each refusal is one line. */
#include "sstorefs/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "config_fixture.h"

static void test_defaults(void **state)
{
	const char *const arguments[ARGUMENTS] = {"fastly:", "/mnt"};
	struct config config;

	(void)state;
	assert_int_equal(read_arguments(&config, arguments), 0);
	assert_string_equal(printed, "");
	assert_int_equal(config.action, ACTION_MOUNT);
	assert_string_equal(config.source, "fastly:");
	assert_string_equal(config.mountpoint, "/mnt");
	assert_int_equal(config.mount_fd, -1);
	assert_ptr_equal(config.provider, &provider_fastly);
	assert_null(config.store);
	assert_string_equal(config.endpoint, provider_fastly.endpoint);
	assert_int_equal(config.ttl, 60000);
	assert_int_equal(config.negative_ttl, 5000);
	assert_int_equal(config.timeout, 30000);
	assert_int_equal(config.umask, 077);
	assert_int_equal(config.uid, getuid());
	assert_int_equal(config.gid, getgid());
	assert_false(config.minimal || config.keep_newline || config.nocreate || config.read_only ||
		     config.allow_other || config.default_permissions || config.foreground ||
		     config.debug || config.signing_key_from_api);
	assert_int_equal(config.sizes, SIZES_OF_OWN);
	assert_true(config.entry_timeout < 0 && config.attr_timeout < 0 &&
		    config.negative_timeout < 0);
	assert_string_equal(buffer_cstr(&config.mount_options),
			    "fsname=fastly:,subtype=sstorefs,nosuid,nodev,noexec");
	config_finish(&config);
}

static void test_every_option_is_understood(void **state)
{
	static const char options[] =
		"endpoint=https://example.com/base//,cacert=/ca.pem,token_file=/tok\\,en,timeout=7,newline=keep,sizes=shown,"
		"uid=7,gid=8,umask=027,nocreate,allow_other,entry_timeout=0.5,attr_timeout=2,negative_timeout=3,"
		"signing_key=CrO/A92vkxEZjtTW7D/Sr+1EMf/q9BahC0sfLkWa+0k=";
	const char *const arguments[ARGUMENTS] = {
		"-f", "fastly:prod", "-oro,ttl=1.5,negative_ttl=0", "/mnt", "-d", "-o", options};
	struct config config;

	(void)state;
	assert_int_equal(read_arguments(&config, arguments), 0);
	assert_string_equal(printed, "");
	assert_true(config.foreground && config.debug && config.read_only && config.nocreate &&
		    config.allow_other && config.default_permissions && config.keep_newline);
	assert_int_equal(config.sizes, SIZES_SHOWN);
	assert_string_equal(config.store, "prod");
	assert_int_equal(config.ttl, 1500);
	assert_int_equal(config.negative_ttl, 0);
	assert_string_equal(config.endpoint, "https://example.com/base");
	assert_string_equal(config.cacert, "/ca.pem");
	assert_string_equal(config.token_file, "/tok,en");
	assert_int_equal(config.timeout, 7000);
	assert_int_equal(config.uid, 7);
	assert_int_equal(config.gid, 8);
	assert_int_equal(config.umask, 027);
	assert_true(config.entry_timeout == 0.5 && config.attr_timeout == 2 &&
		    config.negative_timeout == 3);
	assert_string_equal(config.signing_key, "CrO/A92vkxEZjtTW7D/Sr+1EMf/q9BahC0sfLkWa+0k=");
	assert_string_equal(buffer_cstr(&config.mount_options),
			    "fsname=fastly:prod,subtype=sstorefs,nosuid,nodev,noexec,"
			    "allow_other,default_permissions");
	config_finish(&config);
}

/* Root may become another user; naming the present one, as mount(8) does, changes nothing. */
static void test_user_names_who_the_daemon_becomes(void **state)
{
	char self[32];
	struct config config;

	(void)state;
	snprintf(self, sizeof(self), "user=%u", (unsigned)geteuid());
	assert_int_equal(read_options(&config, self), 0);
	assert_null(config.user);
	config_finish(&config);
	if (geteuid() == 0) {
		assert_int_equal(read_options(&config, "user=nobody"), 0);
		assert_string_equal(config.user, "nobody");
		assert_int_equal(config.user_uid, 65534);
		assert_int_equal(config.uid, 0);
	} else {
		assert_int_equal(read_options(&config, "user=root"), -EINVAL);
		assert_one_line_with("only root");
	}
	config_finish(&config);
}

static void test_what_mount_and_fstab_add_changes_nothing(void **state)
{
	static const char options[] =
		"rw,dev,nodev,suid,nosuid,exec,noexec,_netdev,nofail,noauto,auto,x-systemd.requires=a.service,x-gvfs-hide,"
		"nosymfollow,silent,loud,iversion,defaults,user,nouser,users,owner,group,async,sync,atime,noatime,relatime,diratime,nodiratime";
	const char *const arguments[ARGUMENTS] = {"fastly:", "/mnt", "-v",   "-n",
						  "-s",	     "-o",   options};
	struct config config;

	(void)state;
	assert_int_equal(read_arguments(&config, arguments), 0);
	assert_string_equal(printed, "");
	assert_string_equal(buffer_cstr(&config.mount_options),
			    "fsname=fastly:,subtype=sstorefs,nosuid,nodev,noexec");
	assert_null(config.users);
	config_finish(&config);
}

static const struct {
	const char *options, *says;
} refused[] = {
	{"foo", "unknown option 'foo': see sstorefs --help"},
	{"ro,foo=bar", "unknown option 'foo': see sstorefs --help"},
	{"ttl", "needs a value"},
	{"ttl=", "has an empty value"},
	{"ttl=x", "ttl=x is no number"},
	{"ttl=1s", "is no number"},
	{"ttl=-1", "is no number"},
	{"ttl=1.2.3", "is no number"},
	{"ttl=99999999999", "is no number"},
	{"timeout=0", "timeout=0 leaves no time"},
	{"timeout=0.0001", "leaves no time"},
	{"nocreate=1", "takes no value"},
	{"ro=1", "takes no value"},
	{"dev=1", "takes no value"},
	{"newline=no", "give one of auto|keep"},
	{"commit=never", "commit=never"},
	{"sizes=all", "give one of shown|hidden"},
	{"umask=8", "octal"},
	{"umask=1000", "octal"},
	{"umask=", "empty value"},
	{"uid=-1", "no user"},
	{"uid=4294967295", "no user"},
	{"uid=no such user", "no user"},
	{"gid=no such group", "no group"},
	{"user=no such user", "no user"},
	{"signing_key=abc", "Ed25519"},
	{"signing_key=CrO/A92vkxEZjtTW7D/Sr+1EMf/q9BahC0sfLkWa+0kA", "Ed25519"},
	{"endpoint=http://example.com", "clear text"},
	{"endpoint=http://localhost.example.com", "clear text"},
	{"endpoint=http://127.0.0.1.example.com", "clear text"},
	{"endpoint=http://127.0.0.1@example.com", "endpoint"},
	{"endpoint=http://128.0.0.1", "clear text"},
	{"endpoint=http://[::2]", "clear text"},
	{"endpoint=ftp://127.0.0.1", "neither https"},
	{"endpoint=https://me:pw@example.com", "more than a host"},
	{"endpoint=https://example.com/?a=b", "more than a host"},
	{"endpoint=https://example.com/#a", "more than a host"},
	{"endpoint=example.com", "endpoint"},
	{"proxy=ftp://proxy.example", "none of http://"},
	{"proxy=http://a/b", "more or less than a host"},
	{"proxy=http://me:pw@proxy.example", "proxy_password_file=PATH"},
	{"proxy=http://a,proxy_password_file=/p", "USER@HOST"},
	{"proxy_password_file=/p", "USER@HOST"},
	{"proxy=http://a,endpoint=http://127.0.0.1", "clear text"},
	{"scopes=workers", "cloudflare"},
	{"comment=hello", "cloudflare"},
	{"expires=7d", "stripe"},
	{"users=usr_a", "stripe"},
	{"visibility=all", "github"},
	{"visibility=some", "all, private, selected"},
	{"repositories=a:b", "github"},
	{"repositories=a/b", "no list of repositories"},
	{"pace=none", "github"},
	{"pace=slow", "asked|none"},
	{"stripe_account=acct_1", "stripe"},
	{"stripe_context=acct_1", "stripe"},
	{"stripe_context=acct_1//acct_2", "no context"},
	{"stripe_context=/acct_1", "no context"},
	{"stripe_context=acct_1/", "no context"},
	{"stripe_context=acct_1\nX-Y: z", "no context"},
	{"stripe_version=2026-07-29.dahlia", "stripe"},
	{"stripe_version=dahlia", "no version"},
	{"stripe_version=2026-7-29", "no version"},
	{"stripe_version=2026-07-29.", "no version"},
	{"stripe_version=2026-07-29dahlia", "no version"},
	{"stripe_version=2026-07-29.a\nX-Y: z", "no version"},
};

static void test_what_is_refused_is_refused_in_one_line(void **state)
{
	struct config config;

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		assert_int_equal(read_options(&config, refused[i].options), -EINVAL);
		assert_one_line_with(refused[i].says);
		config_finish(&config);
	}
}

static void test_a_token_on_the_command_line_is_refused_and_not_repeated(void **state)
{
	static const char *const attempts[] = {"token=s3cr3t",	   "password=s3cr3t",
					       "api_token=s3cr3t", "api_key=s3cr3t",
					       "key=s3cr3t",	   "whatever=s3cr3t"};
	const char *const flags[][ARGUMENTS] = {
		{"--token=s3cr3t"}, {"fastly:", "/mnt", "s3cr3t"}, {"-ts3cr3t=s3cr3t"}};
	struct config config;

	(void)state;
	for (size_t i = 0; i < COUNT(attempts); i++) {
		assert_int_equal(read_options(&config, attempts[i]), -EINVAL);
		assert_one_line_with(i < 5 ? "token_file=PATH" : "unknown option");
		assert_null(strstr(printed, "s3cr3t"));
		config_finish(&config);
	}
	for (size_t i = 0; i < COUNT(flags); i++) {
		assert_int_equal(read_arguments(&config, flags[i]), -EINVAL);
		assert_one_line_with("--help");
		assert_true(i == 2 || !strstr(printed, "s3cr3t"));
		config_finish(&config);
	}
}

static void test_loopback_addresses_may_be_plain_http(void **state)
{
	static const char *const addresses[] = {"http://127.0.0.1:8080", "http://127.1.2.3",
						"http://[::1]:80", "http://localhost:1234",
						"HTTP://LocalHost:1234"};
	struct config config;
	char options[128];

	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		snprintf(options, sizeof(options), "endpoint=%s/", addresses[i]);
		assert_int_equal(read_options(&config, options), 0);
		assert_string_equal(config.endpoint, addresses[i]);
		config_finish(&config);
	}
}

static void test_a_proxy_from_the_environment(void **state)
{
	struct config config;

	(void)state;
	setenv("https_proxy", "http://me:s3cr3t@first.example:1", 1);
	setenv("HTTPS_PROXY", "http://second.example", 1);
	assert_int_equal(read_options(&config, "rw"), 0);
	assert_string_equal(config.proxy.shown, "http://me@first.example:1");
	config_finish(&config);
	unsetenv("https_proxy");
	assert_int_equal(read_options(&config, "rw"), 0);
	assert_string_equal(config.proxy.url, "http://second.example:1080");
	config_finish(&config);
	assert_int_equal(read_options(&config, "proxy=socks5h://third.example"), 0);
	assert_string_equal(config.proxy.url, "socks5h://third.example:1080");
	assert_null(config.proxy_variable);
	config_finish(&config);
	assert_int_equal(read_options(&config, "endpoint=https://localhost"), 0);
	assert_null(config.proxy.url);
	config_finish(&config);
	setenv("NO_PROXY", "fastly.com", 1);
	assert_int_equal(read_options(&config, "rw"), 0);
	assert_null(config.proxy.url);
	config_finish(&config);
	unsetenv("NO_PROXY");
	setenv("HTTPS_PROXY", "ftp://me:s3cr3t@proxy.example", 1);
	assert_int_equal(read_options(&config, "rw"), -EINVAL);
	assert_one_line_with("the address in HTTPS_PROXY");
	assert_null(strstr(printed, "s3cr3t"));
	config_finish(&config);
	unsetenv("HTTPS_PROXY");
}

static void test_commas_and_backslashes_can_be_escaped(void **state)
{
	static const struct {
		const char *options, *path;
	} escaped[] = {
		{"cacert=/a\\,b", "/a,b"},    {"cacert=/a\\\\b", "/a\\b"},
		{"cacert=/a\\\\,ro", "/a\\"}, {"cacert=/a\\b", "/a\\b"},
		{"cacert=/a\\", "/a\\"},      {",,cacert=/a,,", "/a"},
		{"cacert=/a=b", "/a=b"},      {"cacert=/x,cacert=/y", "/y"},
	};
	struct config config;

	(void)state;
	for (size_t i = 0; i < COUNT(escaped); i++) {
		assert_int_equal(read_options(&config, escaped[i].options), 0);
		assert_string_equal(config.cacert, escaped[i].path);
		config_finish(&config);
	}
}

static void test_the_last_one_wins(void **state)
{
	struct config config;

	(void)state;
	assert_int_equal(read_options(&config,
				      "ro,rw,ttl=5,ttl=indefinite,signing_key=api,"
				      "signing_key=CrO/A92vkxEZjtTW7D/Sr+1EMf/q9BahC0sfLkWa+0k="),
			 0);
	assert_false(config.read_only || config.signing_key_from_api || config.minimal);
	assert_true(config.ttl == CLOCK_NEVER);
	assert_non_null(config.signing_key);
	config_finish(&config);
	assert_int_equal(
		read_options(&config,
			     "ttl=indefinite,ttl=minimal,signing_key="
			     "CrO/A92vkxEZjtTW7D/Sr+1EMf/q9BahC0sfLkWa+0k=,signing_key=api"),
		0);
	assert_true(config.minimal && config.ttl == 0 && config.signing_key_from_api);
	assert_null(config.signing_key);
	config_finish(&config);
}

static void test_files_with_relative_paths_are_found_from_anywhere(void **state)
{
	struct config config;
	char *here = getcwd(NULL, 0), *whole;

	(void)state;
	assert_true(asprintf(&whole, "%s/some/token", here) > 0);
	assert_int_equal(read_options(&config, "token_file=some/token"), 0);
	assert_string_equal(config.token_file, whole);
	config_finish(&config);
	free(whole);
	free(here);
}

static void test_the_environment(void **state)
{
	struct config config;

	(void)state;
	setenv("FASTLY_API_URL", "https://second.example.com/", 1);
	setenv("FASTLY_API_ENDPOINT", "", 1);
	setenv("FASTLY_USE_API_SIGNING_KEY", "", 1);
	assert_int_equal(read_options(&config, "rw"), 0);
	assert_string_equal(config.endpoint, "https://second.example.com");
	assert_false(config.signing_key_from_api);
	config_finish(&config);

	setenv("FASTLY_API_ENDPOINT", "https://first.example.com", 1);
	setenv("FASTLY_USE_API_SIGNING_KEY", "no", 1);
	assert_int_equal(read_options(&config, "rw"), 0);
	assert_string_equal(config.endpoint, "https://first.example.com");
	assert_true(config.signing_key_from_api);
	config_finish(&config);

	assert_int_equal(read_options(&config,
				      "endpoint=https://given.example.com,"
				      "signing_key=CrO/A92vkxEZjtTW7D/Sr+1EMf/q9BahC0sfLkWa+0k="),
			 0);
	assert_string_equal(config.endpoint, "https://given.example.com");
	assert_false(config.signing_key_from_api);
	config_finish(&config);

	setenv("FASTLY_API_ENDPOINT", "http://plain.example.com", 1);
	assert_int_equal(read_options(&config, "rw"), -EINVAL);
	assert_one_line_with("FASTLY_API_ENDPOINT");
	config_finish(&config);
	unsetenv("FASTLY_API_ENDPOINT");
	unsetenv("FASTLY_API_URL");
	unsetenv("FASTLY_USE_API_SIGNING_KEY");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_option_is_understood),
		cmocka_unit_test(test_user_names_who_the_daemon_becomes),
		cmocka_unit_test(test_what_mount_and_fstab_add_changes_nothing),
		cmocka_unit_test(test_what_is_refused_is_refused_in_one_line),
		cmocka_unit_test(test_a_token_on_the_command_line_is_refused_and_not_repeated),
		cmocka_unit_test(test_loopback_addresses_may_be_plain_http),
		cmocka_unit_test(test_a_proxy_from_the_environment),
		cmocka_unit_test(test_commas_and_backslashes_can_be_escaped),
		cmocka_unit_test(test_the_last_one_wins),
		cmocka_unit_test(test_files_with_relative_paths_are_found_from_anywhere),
		cmocka_unit_test(test_the_environment),
	};
	static const char *const variables[] = {
		"FASTLY_API_ENDPOINT", "FASTLY_API_URL", "FASTLY_USE_API_SIGNING_KEY",
		"https_proxy",	       "HTTPS_PROXY",	 "all_proxy",
		"ALL_PROXY",	       "no_proxy",	 "NO_PROXY"};

	for (size_t i = 0; i < COUNT(variables); i++)
		unsetenv(variables[i]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
