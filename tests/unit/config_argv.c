/* The command line without its options: sources, mountpoints, letters, and what mount(8) makes of
 * them. */
#include "sstorefs/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "config_fixture.h"

static void test_sources(void **state)
{
	static const struct {
		const char *source, *store, *says;
	} sources[] = {
		{"fastly:", NULL, NULL},
		{"fastly:prod", "prod", NULL},
		{"fastly:%2E%2E", "%2E%2E", NULL},
		{"fastly:%2Esstorefs", "%2Esstorefs", NULL},
		{"fastly:..", NULL, "name"},
		{"fastly:a b", NULL, "name"},
		{"fastly:a/b", NULL, "name"},
		{"fastly:%41", NULL, "name"},
		{"fastly:prod/", NULL, "name"},
		{"fastly", NULL, "is no source"},
		{"", NULL, "is no source"},
		{":", NULL, "is no source"},
		{"vault:", NULL, "'vault:' is no source: give one such as"},
		{"cloudflare:0123456789abcdef0123456789ABCDEF/prod", "prod", NULL},
		{"cloudflare:team_1-x/prod", "prod", NULL},
		{"cloudflare:0123456789abcdef0123456789abcdef0/prod", NULL, "no account id"},
		{"cloudflare:a.b", NULL, "no account id"},
		{"cloudflare:a b", NULL, "no account id"},
		{"fastly2:", NULL, "did you mean 'fastly:'"},
		{"FASTLY:", NULL, "did you mean 'fastly:'"},
	};
	struct config config;

	(void)state;
	for (size_t i = 0; i < COUNT(sources); i++) {
		const char *const arguments[ARGUMENTS] = {sources[i].source, "/mnt"};
		int failed = read_arguments(&config, arguments);

		assert_int_equal(failed, sources[i].says ? -EINVAL : 0);
		if (sources[i].says)
			assert_one_line_with(sources[i].says);
		else if (sources[i].store)
			assert_string_equal(config.store, sources[i].store);
		else
			assert_null(config.store);
		config_finish(&config);
	}
}

static void test_arguments(void **state)
{
	static const struct {
		const char *arguments[ARGUMENTS];
		const char *says;
	} lines[] = {
		{{NULL}, "SOURCE is missing"},
		{{"fastly:"}, "MOUNTPOINT is missing"},
		{{"fastly:", "/mnt", "more"}, "too many arguments"},
		{{"fastly:", "/mnt", "-o"}, "-o needs options"},
		{{"fastly:", "/mnt", "-x"}, "unknown option '-x': see sstorefs --help"},
		{{"fastly:", "/mnt", "--foo=bar"}, "unknown option '--foo': see sstorefs --help"},
		{{"fastly:", "/dev/fd/", "-f"}, "is no descriptor"},
		{{"fastly:", "/dev/fd/3x", "-f"}, "is no descriptor"},
		{{"fastly:", "/dev/fd/3", "-o", "allow_other"}, "default_permissions"},
		{{"fastly:", "/dev/fd/3", "-o", "allow_other,default_permissions"}, NULL},
		{{"--", "fastly:", "-mnt"}, NULL},
		{{"fastly:", "/mnt", "-f"}, NULL},
		{{"fastly:", "/mnt", "-fd"}, NULL},
		{{"fastly:", "/mnt", "-fx"}, "unknown option '-fx': see sstorefs --help"},
		{{"fastly:", "/mnt", "-t", "fuse.sstorefs"}, "unknown option '-t'"},
		{{"--check", "fastly:prod"}, NULL},
		{{"fastly:prod", "--check", "--json", "-o", "timeout=3"}, NULL},
		{{"--check", "/mnt"}, NULL},
		{{"--check"}, "SOURCE is missing"},
		{{"--check", "fastly:", "/mnt"}, "too many arguments"},
		{{"fastly:", "/mnt", "--check"}, "--check mounts nothing"},
		{{"fastly:", "/mnt", "--json"}, "--json goes with --check"},
	};
	struct config config;

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		assert_int_equal(read_arguments(&config, lines[i].arguments),
				 lines[i].says ? -EINVAL : 0);
		if (lines[i].says)
			assert_one_line_with(lines[i].says);
		config_finish(&config);
	}
}

/* mount(8) calls its helpers with letters and a type of its own (mount(8), EXTERNAL HELPERS). */
static void test_as_the_helper_of_mount(void **state)
{
	static const struct {
		const char *arguments[ARGUMENTS];
		enum action action;
		const char *says;
	} lines[] = {
		{{"fastly:", "/mnt", "-o", "rw,_netdev"}, ACTION_MOUNT, NULL},
		{{"fastly:", "/mnt", "-s", "-n", "-v", "-o", "rw"}, ACTION_MOUNT, NULL},
		{{"fastly:", "/mnt", "-snv", "-o", "rw", "-t", "fuse.sstorefs"},
		 ACTION_MOUNT,
		 NULL},
		{{"fastly:", "/mnt", "-f", "-o", "rw"}, ACTION_FAKE, NULL},
		{{"fastly:", "/mnt", "-fv", "-o", "rw"}, ACTION_FAKE, NULL},
		{{"fastly:", "/mnt", "-s", "-o", "rw,nonsense"},
		 ACTION_MOUNT,
		 "unknown option 'nonsense'"},
		{{"fastly:", "/mnt", "-d"}, ACTION_MOUNT, "unknown option '-d'"},
		{{"fastly:", "/mnt", "-t"}, ACTION_MOUNT, "-t needs a type"},
	};
	struct config config;

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		assert_int_equal(
			read_arguments_as("/sbin/mount.fuse.sstorefs", &config, lines[i].arguments),
			lines[i].says ? -EINVAL : 0);
		if (lines[i].says)
			assert_one_line_with(lines[i].says);
		else
			assert_int_equal(config.action, lines[i].action);
		assert_false(config.foreground);
		config_finish(&config);
	}
}

static void test_what_is_checked(void **state)
{
	const char *const source[ARGUMENTS] = {"--check", "fastly:prod", "--json"},
			  *const mount[ARGUMENTS] = {"--check", "/mnt"};
	struct config config;

	(void)state;
	assert_int_equal(read_arguments(&config, source), 0);
	assert_int_equal(config.action, ACTION_CHECK);
	assert_string_equal(config.source, "fastly:prod");
	assert_null(config.mountpoint);
	assert_true(config.json);
	config_finish(&config);

	assert_int_equal(read_arguments(&config, mount), 0);
	assert_int_equal(config.action, ACTION_CHECK);
	assert_null(config.source);
	assert_string_equal(config.mountpoint, "/mnt");
	config_finish(&config);
}

static void test_debugging_stays_in_the_foreground(void **state)
{
	const char *const arguments[ARGUMENTS] = {"fastly:", "/mnt", "-d"};
	struct config config;

	(void)state;
	assert_int_equal(read_arguments(&config, arguments), 0);
	assert_true(config.debug && config.foreground);
	config_finish(&config);
}

static void test_help_and_version_need_nothing_else(void **state)
{
	static const struct {
		const char *arguments[ARGUMENTS];
		enum action action;
	} lines[] = {
		{{"--help"}, ACTION_HELP},
		{{"-h"}, ACTION_HELP},
		{{"--version"}, ACTION_VERSION},
		{{"-V"}, ACTION_VERSION},
		{{"fastly:", "--help", "--foo"}, ACTION_HELP},
	};
	struct config config;

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		assert_int_equal(read_arguments(&config, lines[i].arguments), 0);
		assert_int_equal(config.action, lines[i].action);
		config_finish(&config);
	}
}

static void test_a_descriptor_must_be_open(void **state)
{
	const char *const arguments[ARGUMENTS] = {"fastly:", "/dev/fd/87654"};
	struct config config;

	(void)state;
	assert_int_equal(read_arguments(&config, arguments), 0);
	assert_int_equal(config.mount_fd, 87654);
	assert_int_equal(config_check_mountpoint(&config), -EBADF);
	assert_string_equal(config.mountpoint, "/dev/fd/87654");
	config_finish(&config);
}

static void test_mountpoints(void **state)
{
	char directory[] = "/tmp/sstorefs-config.XXXXXX", path[128], link[128];
	const char *arguments[ARGUMENTS] = {"fastly:", path};
	struct config config;
	int null = open("/dev/null", O_WRONLY), before = dup(STDERR_FILENO);

	(void)state;
	assert_non_null(mkdtemp(directory));
	dup2(null, STDERR_FILENO);
	snprintf(path, sizeof(path), "%s/missing", directory);
	assert_int_equal(read_arguments(&config, arguments), 0);
	assert_int_equal(config_check_mountpoint(&config), -ENOENT);
	config_finish(&config);

	snprintf(path, sizeof(path), "%s/file", directory);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(read_arguments(&config, arguments), 0);
	assert_int_equal(config_check_mountpoint(&config), -ENOTDIR);
	config_finish(&config);

	unlink(path);
	snprintf(link, sizeof(link), "%s/link", directory);
	assert_int_equal(symlink(".", link), 0);
	snprintf(path, sizeof(path), "%s/link/../link/.", directory);
	assert_int_equal(read_arguments(&config, arguments), 0);
	assert_int_equal(config_check_mountpoint(&config), -ENOENT);
	config_finish(&config);

	snprintf(path, sizeof(path), "%s/./link/", directory);
	assert_int_equal(read_arguments(&config, arguments), 0);
	assert_int_equal(config_check_mountpoint(&config), 0);
	assert_string_equal(config.mountpoint, directory);
	assert_false(config.dead_mount);
	config_finish(&config);
	dup2(before, STDERR_FILENO);
	close(before);
	close(null);
	unlink(link);
	rmdir(directory);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_as_the_helper_of_mount),
		cmocka_unit_test(test_what_is_checked),
		cmocka_unit_test(test_debugging_stays_in_the_foreground),
		cmocka_unit_test(test_help_and_version_need_nothing_else),
		cmocka_unit_test(test_a_descriptor_must_be_open),
		cmocka_unit_test(test_mountpoints),
	};
	static const char *const variables[] = {"FASTLY_API_ENDPOINT", "FASTLY_API_URL",
						"FASTLY_USE_API_SIGNING_KEY"};

	for (size_t i = 0; i < COUNT(variables); i++)
		unsetenv(variables[i]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
