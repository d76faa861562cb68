/*
 * The audit: one line for every change that was tried, and by whom.
 */
#include <string.h>

#include "fs.h"
#include "sstorefs/log.h"

void actor_of_request(struct actor *actor, fuse_req_t request)
{
	const struct fuse_ctx *context = fuse_req_ctx(request);

	*actor = (struct actor){.uid = context->uid, .gid = context->gid, .pid = context->pid};
	program_of(context->pid, actor->program);
}

void audit(struct fs *fs, const struct actor *actor, const struct deed *deed, const struct failure *failure)
{
	const char *store = deed->store ? store_name(deed->store) : "";
	struct buffer line = {0};

	buffer_printf(&line, "%s %s%s%s", deed->operation, store, *store ? "/" : "", deed->name);
	if (deed->to)
		buffer_printf(&line, " to %s", deed->to);
	buffer_printf(&line, ": %s uid=%u gid=%u pid=%d program=%s status=%d request=%s",
		      failure->error ? failure_errno_name(failure->error) : "done", actor->uid, actor->gid,
		      (int)actor->pid, *actor->program ? actor->program : "?", failure->status,
		      *failure->request_id ? failure->request_id : "-");
	if (deed->digest)
		buffer_printf(&line, " digest=%s", deed->digest);
	if (failure->error)
		buffer_printf(&line, " words=%s", failure->words);
	log_line(failure->error ? LOG_WARNING : LOG_INFO, "%s", buffer_text(&line));
	buffer_finish(&line);
	if (failure->error)
		journal_add(fs->options.journal, deed->operation, store, deed->name, failure);
}
