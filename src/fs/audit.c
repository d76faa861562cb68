/* The audit: logs each change that was tried, and who tried it. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "fs_internal.h"
#include "opener.h"
#include "sstorefs/log.h"

/* Returns the path in a line of /proc/PID/cgroup, HIERARCHY:CONTROLLERS:PATH, or NULL. */
static const char *path_in(const char *line)
{
	const char *path = strchr(line, ':');

	path = path ? strchr(path + 1, ':') : NULL;
	return path ? path + 1 : NULL;
}

/* Takes the path of cgroup version 2, whose line is the last, unless that is only the root, as it
 * is where both versions are in use. */
void cgroup_of(pid_t process, char cgroup[static CGROUP_SIZE])
{
	char path[64], text[4096], *rest = text, *line;
	ssize_t length = -1;
	int fd;

	*cgroup = '\0';
	snprintf(path, sizeof path, "/proc/%d/cgroup", (int)process);
	fd = process > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	length = read(fd, text, sizeof text - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		const char *found = path_in(line);

		if (found && (!*cgroup || strcmp(found, "/")))
			snprintf(cgroup, CGROUP_SIZE, "%s", found);
	}
}

void actor_of_request(struct actor *actor, fuse_req_t request)
{
	const struct fuse_ctx *context = fuse_req_ctx(request);

	*actor = (struct actor){.uid = context->uid, .gid = context->gid, .pid = context->pid};
	program_of(context->pid, actor->program);
	cgroup_of(context->pid, actor->cgroup);
}

void audit(struct fs *fs, const struct actor *actor, const struct audit_event *event,
	   const struct failure *failure)
{
	const char *store = event->store ? store_name(event->store) : "";
	const struct log_actor who = {actor->uid, actor->gid, actor->pid, actor->program,
				      actor->cgroup};

	log_event(failure->errnum ? LOG_WARNING : LOG_INFO, &(const struct log_event){
								    .operation = event->operation,
								    .actor = &who,
								    .store = store,
								    .name = event->name,
								    .to = event->to,
								    .digest = event->digest,
								    .failure = failure,
								    .is_change = true,
							    });
	if (failure->errnum)
		error_log_add(fs->options.error_log, event->operation, store, event->name, failure);
}

void audit_request(fuse_req_t request, const struct audit_event *event,
		   const struct failure *failure)
{
	struct actor actor;

	actor_of_request(&actor, request);
	audit(fuse_req_userdata(request), &actor, event, failure);
}
