/* Command lines that are read as the program reads them, and the messages it prints. */
#include "config_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

char printed[4096];

int read_arguments_as(const char *name, struct config *config, const char *const *arguments)
{
	char *program = strdup(name), *argv[ARGUMENTS + 2] = {program};
	int argc = 1, before = dup(STDERR_FILENO), failed;
	FILE *captured = tmpfile();
	size_t length;

	while (argc <= ARGUMENTS && arguments[argc - 1]) {
		argv[argc] = strdup(arguments[argc - 1]);
		argc++;
	}
	assert_non_null(captured);
	fflush(stderr);
	dup2(fileno(captured), STDERR_FILENO);
	failed = config_read(config, argc, argv);
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(captured);
	length = fread(printed, 1, sizeof(printed) - 1, captured);
	printed[length] = '\0';
	fclose(captured);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return failed;
}

int read_arguments(struct config *config, const char *const *arguments)
{
	return read_arguments_as("sstorefs", config, arguments);
}

int read_options(struct config *config, const char *options)
{
	const char *const arguments[ARGUMENTS] = {"fastly:", "/mnt", "-o", options};

	return read_arguments(config, arguments);
}

void assert_one_line_with(const char *phrase)
{
	size_t length = strlen(printed);

	assert_true(length > 0 && printed[length - 1] == '\n');
	assert_ptr_equal(strchr(printed, '\n'), printed + length - 1);
	assert_int_equal(strncmp(printed, "sstorefs: ", 10), 0);
	if (!strstr(printed, phrase))
		fail_msg("'%s' is not in: %s", phrase, printed);
}
