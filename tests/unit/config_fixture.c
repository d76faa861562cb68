/* Command lines that are read as the program reads them, and what it says meanwhile. */
#include "config_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

char said[4096];

int read_words_as(const char *name, struct config *config, const char *const *words)
{
	char *program = strdup(name), *argv[WORDS + 2] = {program};
	int argc = 1, before = dup(STDERR_FILENO), failed;
	FILE *heard = tmpfile();
	size_t length;

	while (argc <= WORDS && words[argc - 1]) {
		argv[argc] = strdup(words[argc - 1]);
		argc++;
	}
	assert_non_null(heard);
	fflush(stderr);
	dup2(fileno(heard), STDERR_FILENO);
	failed = config_read(config, argc, argv);
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(heard);
	length = fread(said, 1, sizeof(said) - 1, heard);
	said[length] = '\0';
	fclose(heard);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return failed;
}

int read_words(struct config *config, const char *const *words)
{
	return read_words_as("sstorefs", config, words);
}

int read_options(struct config *config, const char *options)
{
	const char *const words[WORDS] = {"fastly:", "/mnt", "-o", options};

	return read_words(config, words);
}

void assert_one_line_with(const char *phrase)
{
	size_t length = strlen(said);

	assert_true(length > 0 && said[length - 1] == '\n');
	assert_ptr_equal(strchr(said, '\n'), said + length - 1);
	assert_int_equal(strncmp(said, "sstorefs: ", 10), 0);
	if (!strstr(said, phrase))
		fail_msg("'%s' is not in: %s", phrase, said);
}
