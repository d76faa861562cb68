/* The audit: logs each change that was tried, and the process that tried it. */
#include "fs_internal.h"
#include "sstorefs/proc.h"

/* Takes the path of cgroup version 2, whose line is the last, unless that is only the root, as it
 * is where both versions are in use. */
void cgroup_of(pid_t process, char cgroup[static CGROUP_SIZE])
{
	char text[4096], *rest = text, *path;

	*cgroup = '\0';
	if (proc_read_of(process, "cgroup", text, sizeof text) < 0)
		return;
	while ((path = strsep(&rest, "\n"))) { /* HIERARCHY:CONTROLLERS:PATH */
		strsep(&path, ":");
		strsep(&path, ":");
		if (path && (!*cgroup || strcmp(path, "/")))
			snprintf(cgroup, CGROUP_SIZE, "%s", path);
	}
}

void actor_of_request(struct log_actor *actor, fuse_req_t request)
{
	const struct fuse_ctx *context = fuse_req_ctx(request);

	*actor = (struct log_actor){.uid = context->uid, .gid = context->gid, .pid = context->pid};
	program_of(context->pid, actor->program);
	cgroup_of(context->pid, actor->cgroup);
}

void audit(struct fs *fs, const struct log_event *event)
{
	bool failed = event->failure->errnum != 0;

	log_event(failed ? LOG_WARNING : LOG_INFO, event);
	if (failed)
		error_log_add(fs->options.error_log, event->operation, event->store, event->name,
			      event->failure);
}

void fs_report(struct fs *fs, const char *operation, const struct store *store, const char *name,
	       const struct failure *failure)
{
	error_log_report(fs->options.error_log, operation, store ? store_name(store) : NULL, name,
			 failure);
}
