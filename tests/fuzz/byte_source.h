#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the fuzzer gives, read from its beginning: each question takes some bytes, and 0 is the
 * answer once none are left.
 */
struct input {
	const uint8_t *data;
	size_t left;
};

uint8_t input_byte(struct input *input);

/* 0 to `most`. */
uint32_t input_number(struct input *input, uint32_t most);

/* Some bytes, at most `most`, as they lie in the input. */
const uint8_t *input_bytes(struct input *input, size_t most, size_t *length);

/* The same as a string without NUL inside, up to the first one or `size` - 1 bytes. */
const char *input_text(struct input *input, char *text, size_t size);

/* A string in memory of its own, so that a read behind its end is seen. The caller frees it. */
char *input_string(struct input *input, size_t most);

/* The rest as a copy in memory of its own. To be freed. */
uint8_t *input_rest(struct input *input, size_t *length);

/* Ends the process with a report if what must hold does not. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			broken(#condition, __FILE__, __LINE__);                                    \
	} while (0)
_Noreturn void broken(const char *condition, const char *file, int line);

/* What every target is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *count, char ***arguments);

/* For LLVMFuzzerInitialize: the same random numbers in every run, no log, and no complaints on
 * stderr. */
void quiet(void);

/* At the beginning of an input whose run draws random numbers. */
void same_again(void);
