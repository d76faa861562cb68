/* The token: where it is looked for, what is refused, what is remembered, and what is wiped. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "sstorefs/config.h"

static struct locked_pool pool;
static char directory[64], path[96];

static void write_file(const char *name, const char *text, size_t length, mode_t mode)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), length);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void write_token(const char *text)
{
	write_file(path, text, strlen(text), 0600);
}

/* One reading, from the beginning. Returns what token_read does; `text` and `why` are copies. */
struct outcome {
	int failed;
	bool changed;
	char text[64], why[512], origin[128];
};

static struct outcome read_once(struct token *token, const struct config *config)
{
	struct outcome outcome = {0};
	struct buffer why = {0};

	outcome.failed = token_read(token, config, &outcome.changed, &why);
	snprintf(outcome.text, sizeof(outcome.text), "%s",
		 token->held[TOKEN_TEXT].length > 0 ? (char *)token->held[TOKEN_TEXT].data : "");
	snprintf(outcome.why, sizeof(outcome.why), "%s", buffer_cstr(&why));
	snprintf(outcome.origin, sizeof(outcome.origin), "%s", token->origin ? token->origin : "");
	buffer_finish(&why);
	return outcome;
}

static struct outcome read_fresh(const struct config *config)
{
	struct token token = {.pool = &pool};
	struct outcome outcome = read_once(&token, config);

	token_finish(&token);
	assert_int_equal(pool.held, 0);
	return outcome;
}

static void test_a_file_is_read_without_its_newline(void **state)
{
	const struct config config = {.provider = &provider_fastly, .token_file = path};
	struct outcome outcome;

	(void)state;
	write_token("abc\n");
	outcome = read_fresh(&config);
	assert_int_equal(outcome.failed, 0);
	assert_true(outcome.changed);
	assert_string_equal(outcome.text, "abc");
	assert_true(strstr(outcome.origin, path) != NULL);
	write_token("abc");
	assert_string_equal(read_fresh(&config).text, "abc");
}

static void test_what_can_be_no_token_is_refused_and_not_repeated(void **state)
{
	const struct config config = {.provider = &provider_fastly, .token_file = path};
	static char long_one[8194];
	const struct {
		const char *text;
		size_t length;
	} bad[] = {
		{"", 0},
		{"\n", 1},
		{"s3cr3t\n\n", 8},
		{"s3c\nr3t", 7},
		{"s3cr3t ", 7},
		{" s3cr3t", 7},
		{"s3cr3t\r\r\n", 9},
		{"s3c\0r3t", 7},
		{"s3cr3t\x7f", 7},
		{"s3cr3t\xc3\xa9", 8},
		{long_one, 8193},
	};

	(void)state;
	memset(long_one, 'a', sizeof(long_one));
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct outcome outcome;

		write_file(path, bad[i].text, bad[i].length, 0600);
		outcome = read_fresh(&config);
		assert_int_equal(outcome.failed, -EINVAL);
		assert_true(strstr(outcome.why, path) != NULL);
		assert_null(strstr(outcome.why, "s3c"));
		assert_null(strchr(outcome.why, '\n'));
	}
	write_file(path, long_one, 8192, 0600);
	assert_int_equal(read_fresh(&config).failed, 0);
}

static void test_files_that_others_can_read_or_change_are_refused_with_the_remedy(void **state)
{
	static const struct {
		mode_t mode;
		int failed;
	} modes[] = {{0600, 0},	      {0400, 0},       {0440, 0},	{0640, 0},
		     {0700, 0},	      {0604, -EACCES}, {0602, -EACCES}, {0620, -EACCES},
		     {0644, -EACCES}, {0660, -EACCES}};
	struct config config = {.provider = &provider_fastly, .token_file = path};
	char retry_hint[160], link[128];

	(void)state;
	snprintf(retry_hint, sizeof(retry_hint), "chmod 600 %s", path);
	for (size_t i = 0; i < COUNT(modes); i++) {
		struct outcome outcome;

		write_file(path, "abc", 3, modes[i].mode);
		outcome = read_fresh(&config);
		assert_int_equal(outcome.failed, modes[i].failed);
		assert_int_equal(strstr(outcome.why, retry_hint) != NULL, modes[i].failed != 0);
	}
	/* A symbolic link shows every right: it is the file behind it that counts. */
	snprintf(link, sizeof(link), "%s/link", directory);
	assert_int_equal(symlink(path, link), 0);
	config.token_file = link;
	write_file(path, "abc", 3, 0600);
	assert_int_equal(read_fresh(&config).failed, 0);
	write_file(path, "abc", 3, 0644);
	assert_int_equal(read_fresh(&config).failed, -EACCES);
	unlink(link);
}

static void test_what_is_no_file(void **state)
{
	char nowhere[] = "/nowhere/token", device[] = "/dev/null";
	struct config config = {.provider = &provider_fastly, .token_file = nowhere};

	(void)state;
	assert_int_equal(read_fresh(&config).failed, -ENOENT);
	config.token_file = directory;
	assert_int_equal(read_fresh(&config).failed, -EINVAL);
	config.token_file = device;
	assert_int_equal(read_fresh(&config).failed, -EINVAL);
}

static void test_a_pipe_is_read_once(void **state)
{
	char name[32];
	struct config config = {.provider = &provider_fastly, .token_file = name};
	struct token token = {.pool = &pool};
	struct outcome outcome;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	snprintf(name, sizeof(name), "/dev/fd/%d", ends[0]);
	assert_int_equal(write(ends[1], "abc\n", 4), 4);
	close(ends[1]);
	outcome = read_once(&token, &config);
	assert_int_equal(outcome.failed, 0);
	assert_string_equal(outcome.text, "abc");
	close(ends[0]);
	outcome = read_once(&token, &config);
	assert_int_equal(outcome.failed, 0);
	assert_false(outcome.changed);
	assert_string_equal(outcome.text, "abc");
	token_finish(&token);
}

static void test_the_environment_is_wiped_and_remembered(void **state)
{
	const struct config config = {.provider = &provider_fastly};
	struct token token = {.pool = &pool};
	struct outcome outcome;
	const char *first, *second;

	(void)state;
	setenv("FASTLY_API_TOKEN", "from-token", 1);
	setenv("FASTLY_API_KEY", "from-key", 1);
	first = getenv("FASTLY_API_TOKEN");
	second = getenv("FASTLY_API_KEY");
	outcome = read_once(&token, &config);
	assert_int_equal(outcome.failed, 0);
	assert_string_equal(outcome.text, "from-token");
	assert_string_equal(outcome.origin, "the token in FASTLY_API_TOKEN");
	assert_memory_equal(first, "\0\0\0\0\0\0\0\0\0\0", 10);
	assert_memory_equal(second, "\0\0\0\0\0\0\0\0", 8);
	outcome = read_once(&token, &config);
	assert_int_equal(outcome.failed, 0);
	assert_false(outcome.changed);
	assert_string_equal(outcome.text, "from-token");
	token_finish(&token);
	assert_int_equal(pool.held, 0);
}

static void test_the_second_variable_counts_when_the_first_is_empty(void **state)
{
	const struct config config = {.provider = &provider_fastly};

	(void)state;
	setenv("FASTLY_API_TOKEN", "", 1);
	setenv("FASTLY_API_KEY", "from-key", 1);
	assert_string_equal(read_fresh(&config).text, "from-key");
}

static void test_there_is_no_token(void **state)
{
	const struct config config = {.provider = &provider_fastly};
	struct outcome outcome;

	(void)state;
	unsetenv("FASTLY_API_TOKEN");
	setenv("FASTLY_API_KEY", "", 1);
	outcome = read_fresh(&config);
	assert_int_equal(outcome.failed, -ENOENT);
	assert_true(strstr(outcome.why, "token_file=PATH") != NULL);
	assert_true(strstr(outcome.why, "FASTLY_API_TOKEN") != NULL);
}

static void test_the_order_is_file_credential_environment(void **state)
{
	struct config config = {.provider = &provider_fastly, .token_file = path};
	char credential[128];

	(void)state;
	snprintf(credential, sizeof(credential), "%s/sstorefs-token", directory);
	setenv("CREDENTIALS_DIRECTORY", directory, 1);
	setenv("FASTLY_API_TOKEN", "from-environment", 1);
	write_file(credential, "from-credential", 15, 0440);
	write_token("from-file");
	assert_string_equal(read_fresh(&config).text, "from-file");
	config.token_file = NULL;
	assert_string_equal(read_fresh(&config).text, "from-credential");
	unlink(credential);
	setenv("FASTLY_API_TOKEN", "from-environment", 1);
	assert_string_equal(read_fresh(&config).text, "from-environment");
	/* What is there and can't be used is an error, not a reason to look further. */
	write_file(credential, "from-credential", 15, 0444);
	setenv("FASTLY_API_TOKEN", "from-environment", 1);
	assert_int_equal(read_fresh(&config).failed, -EACCES);
	unlink(credential);
	unsetenv("CREDENTIALS_DIRECTORY");
	unsetenv("FASTLY_API_TOKEN");
}

static void test_a_failed_reading_keeps_what_was_held(void **state)
{
	const struct config config = {.provider = &provider_fastly, .token_file = path};
	struct token token = {.pool = &pool};
	struct outcome outcome;

	(void)state;
	write_token("first");
	assert_true(read_once(&token, &config).changed);
	assert_false(read_once(&token, &config).changed);
	unlink(path);
	outcome = read_once(&token, &config);
	assert_int_equal(outcome.failed, -ENOENT);
	assert_false(outcome.changed);
	assert_string_equal(outcome.text, "first");
	write_token("second");
	outcome = read_once(&token, &config);
	assert_true(outcome.changed);
	assert_string_equal(outcome.text, "second");
	token_finish(&token);
	assert_int_equal(pool.held, 0);
}

static int begin(void **state)
{
	(void)state;
	locked_pool_init(&pool, 1 << 20);
	strcpy(directory, "/tmp/sstorefs-token.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/token", directory);
	return 0;
}

static int end(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_is_read_without_its_newline),
		cmocka_unit_test(test_what_can_be_no_token_is_refused_and_not_repeated),
		cmocka_unit_test(
			test_files_that_others_can_read_or_change_are_refused_with_the_remedy),
		cmocka_unit_test(test_what_is_no_file),
		cmocka_unit_test(test_a_pipe_is_read_once),
		cmocka_unit_test(test_the_environment_is_wiped_and_remembered),
		cmocka_unit_test(test_the_second_variable_counts_when_the_first_is_empty),
		cmocka_unit_test(test_there_is_no_token),
		cmocka_unit_test(test_the_order_is_file_credential_environment),
		cmocka_unit_test(test_a_failed_reading_keeps_what_was_held),
	};

	unsetenv("CREDENTIALS_DIRECTORY");
	return cmocka_run_group_tests(tests, begin, end);
}
