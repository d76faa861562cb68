/* Reads members of the JSON in responses: tolerates what is odd, rejects what makes no sense. */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "provider_internal.h"
#include "sstorefs/name.h"

#define BLANKS " \t\r\n"

json_t *response_json(const struct http_response *response)
{
	const char *text = buffer_cstr(&response->body);
	/* One name with a NUL must not cost the whole page. */
	json_t *json = json_loadb(text, response->body.length, JSON_ALLOW_NUL, NULL);

	/* Nor must a number beyond 64 bits, in a member that we don't even know. */
	if (!json)
		json = json_loadb(text, response->body.length,
				  JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
	if (json && !json_is_object(json)) {
		json_decref(json);
		return NULL;
	}
	return json;
}

bool response_is_blank(const struct http_response *response)
{
	const char *body = buffer_cstr(&response->body), *text = body + strspn(body, BLANKS);

	if (strncmp(text, "null", 4) == 0)
		text += 4;
	return text + strspn(text, BLANKS) == body + response->body.length;
}

bool response_has_no_content(const struct http_response *response)
{
	return (response->status == 204 || response->status == 205) && response_is_blank(response);
}

const char *json_get_string(const json_t *object, const char *member)
{
	const json_t *value = json_object_get(object, member);
	const char *text = json_string_value(value);

	return text && strlen(text) == json_string_length(value) ? text : NULL;
}

wall_time_ns json_get_time(const json_t *object, const char *member)
{
	const char *text = json_get_string(object, member);
	wall_time_ns time = TIME_UNKNOWN;

	if (!text || time_parse_iso8601(text, strlen(text), &time))
		return json_get_epoch(object, member);
	return time < 0 ? TIME_UNKNOWN : time; /* the year 1 stands for "not set" */
}

/* JSON knows one kind of number, and some write 10.0 for 10: what is behind the point is cut. */
int64_t json_get_int(const json_t *object, const char *member, int64_t otherwise)
{
	const double first_too_large = 0x1p63;
	const json_t *value = json_object_get(object, member);
	double real = json_real_value(value);
	int64_t digits = count_from_text(json_string_value(value), INT64_MAX);

	if (json_is_integer(value))
		return json_integer_value(value);
	if (digits >= 0)
		return digits;
	return json_is_real(value) && real >= -first_too_large && real < first_too_large
		       ? (int64_t)real
		       : otherwise;
}

int64_t json_get_count(const json_t *object, const char *member)
{
	int64_t count = json_get_int(object, member, -1);

	return count < 0 ? -1 : count;
}

wall_time_ns json_get_epoch(const json_t *object, const char *member)
{
	const wall_time_ns last = INT64_MAX / NANOSECONDS;
	int64_t seconds = json_get_int(object, member, -1);

	if (seconds < 0)
		return TIME_UNKNOWN;
	return (seconds < last ? seconds : last) * NANOSECONDS;
}

int json_get_name(const json_t *object, const char *member, struct buffer *displayed,
		  struct op_result *result)
{
	const json_t *value = json_object_get(object, member);
	int failed = -EINVAL;

	if (json_is_string(value))
		failed = name_display(displayed, json_string_value(value),
				      json_string_length(value));
	if (failed == 0 || failed == -ENOMEM)
		return failed;
	if (failed == -ENAMETOOLONG)
		result->names_too_long++;
	else
		result->malformed++;
	return 1;
}

size_t json_get_base64(const json_t *object, const char *member, uint8_t *bytes, size_t size)
{
	const char *text = json_get_string(object, member);
	uint8_t decoded[256];
	size_t length;

	if (!text || strlen(text) / 4 * 3 > sizeof(decoded))
		return text ? size : 0;
	if (sodium_base642bin(decoded, sizeof(decoded), text, strlen(text), NULL, &length, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0)
		return 0;
	length = length < size ? length : size;
	memcpy(bytes, decoded, length);
	return length;
}
