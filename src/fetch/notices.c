/* Logs what a service says beside results and errors, each text once. */
#include "notices.h"

#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "sstorefs/log.h"

void notices_finish(struct notices *notices)
{
	for (size_t i = 0; i < NOTICES_MAX; i++)
		free(notices->said[i]);
	*notices = (struct notices){0};
}

/* Returns whether `text` is new. Without memory it is not remembered, and comes again. */
static bool is_new(struct notices *notices, const char *text)
{
	char **oldest = &notices->said[notices->next % NOTICES_MAX];

	for (size_t i = 0; i < NOTICES_MAX; i++)
		if (notices->said[i] && strcmp(notices->said[i], text) == 0)
			return false;
	free(*oldest);
	*oldest = strdup(text);
	notices->next++;
	return true;
}

static void log_notice(const struct api_call *call, const char *text)
{
	struct buffer quoted = {0};

	buffer_quoted(&quoted, text);
	log_line(LOG_NOTICE, "%s says at %s: %s", call->catalog->options.provider->name,
		 api_operations[call->args.operation].name, buffer_cstr(&quoted));
	buffer_finish(&quoted);
}

void notices_take(struct notices *notices, struct api_call *call, struct failure *failure)
{
	struct buffer *texts = &call->result.notices;
	const char *text = buffer_cstr(texts), *end = text + texts->length;

	for (; text < end; text += strlen(text) + 1) {
		struct failure notice = {0};

		failure_set_message(&notice, text, strlen(text));
		if (call->redact_value)
			failure_redact(&notice, call->redact_value, call->redact_length);
		if (is_new(notices, notice.message))
			log_notice(call, notice.message);
		if (failure)
			failure_set(failure, failure->errnum, "%s; %s", failure->message,
				    notice.message);
	}
	buffer_finish(texts);
}
