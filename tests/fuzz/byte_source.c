/* The fuzzer's bytes as answers to questions, and the surroundings that make every run of one input
 * the same. What is tested with them is each target's. */
#include "byte_source.h"

#include <fuse_log.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint8_t input_byte(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->data++;
}

uint32_t input_number(struct input *input, uint32_t most)
{
	uint32_t number = input_byte(input);

	for (uint32_t reach = most; reach > 255; reach /= 256)
		number = number << 8 | input_byte(input);
	return most == UINT32_MAX ? number : number % (most + 1);
}

const uint8_t *input_bytes(struct input *input, size_t most, size_t *length)
{
	const uint8_t *begin = input->data;

	*length = input_number(input, most < 65535 ? (uint32_t)most : 65535);
	begin = input->data;
	if (*length > input->left)
		*length = input->left;
	input->data += *length;
	input->left -= *length;
	return begin;
}

const char *input_text(struct input *input, char *text, size_t size)
{
	size_t length;
	const uint8_t *bytes = input_bytes(input, size - 1, &length);

	memcpy(text, bytes, length);
	text[length] = '\0';
	return text;
}

char *input_string(struct input *input, size_t most)
{
	size_t length;
	const uint8_t *bytes = input_bytes(input, most, &length);
	char *text = strndup((const char *)bytes, length);

	MUST(text);
	return text;
}

uint8_t *input_rest(struct input *input, size_t *length)
{
	uint8_t *copy = malloc(input->left + 1);

	MUST(copy);
	*length = input->left;
	memcpy(copy, input->data, input->left);
	/* The NUL just behind the end, for functions that expect one; others get a smaller block.
	 */
	copy[input->left] = '\0';
	input->data += input->left;
	input->left = 0;
	return copy;
}

void broken(const char *condition, const char *file, int line)
{
	dprintf(STDERR_FILENO, "%s:%d: this must hold: %s\n", file, line, condition);
	abort();
}

/* Well spread, and the same in every run (splitmix64). */
static uint64_t random_state;

void same_again(void)
{
	random_state = 0;
}

static uint32_t numbered(void)
{
	uint64_t mixed = random_state += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(mixed ^ mixed >> 31);
}

static void numbered_bytes(void *const to, const size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)to)[i] = (uint8_t)numbered();
}

static const char *numbered_name(void)
{
	return "the same in every run";
}

static struct randombytes_implementation same = {
	.implementation_name = numbered_name, .random = numbered, .buf = numbered_bytes};

static void log_nothing(enum fuse_log_level level, const char *format, va_list arguments)
{
	(void)level, (void)format, (void)arguments;
}

void quiet(void)
{
	FILE *nowhere = fopen("/dev/null", "w");

	MUST(!randombytes_set_implementation(&same));
	MUST(sodium_init() >= 0);
	MUST(nowhere);
	/* The descriptor stays: the sanitizers write to it. */
	stderr = nowhere;
	fuse_set_log_func(log_nothing);
}
