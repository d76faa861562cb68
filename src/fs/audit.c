/*
 * The audit: one line for every change that was tried, and by whom.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "sstorefs/log.h"

/* The process's cgroup, which names its container: of version 2, whose line begins with 0, or else of the first of version 1. */
static void read_cgroup(pid_t process, char cgroup[static CGROUP_SIZE])
{
	char path[64], text[4096], *line, *end;
	ssize_t length = -1;
	int fd;

	*cgroup = '\0';
	snprintf(path, sizeof path, "/proc/%d/cgroup", (int)process);
	fd = process > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	length = read(fd, text, sizeof text - 1);
	close(fd);
	if (length <= 0)
		return;
	text[length] = '\0';
	line = strncmp(text, "0::", 3) ? strstr(text, "\n0::") : text;
	line = strchr(line ? line : text, ':');
	line = line ? strchr(line + 1, ':') : NULL;
	if (!line)
		return;
	end = strchrnul(line + 1, '\n');
	snprintf(cgroup, CGROUP_SIZE, "%.*s", (int)(end - line - 1), line + 1);
}

void actor_of_request(struct actor *actor, fuse_req_t request)
{
	const struct fuse_ctx *context = fuse_req_ctx(request);

	*actor = (struct actor){.uid = context->uid, .gid = context->gid, .pid = context->pid};
	program_of(context->pid, actor->program);
	read_cgroup(context->pid, actor->cgroup);
}

void audit(struct fs *fs, const struct actor *actor, const struct deed *deed, const struct failure *failure)
{
	const char *store = deed->store ? store_name(deed->store) : "";
	const struct log_actor who = {actor->uid, actor->gid, actor->pid, actor->program, actor->cgroup};

	log_event(failure->error ? LOG_WARNING : LOG_INFO, &(const struct log_event){
								   .operation = deed->operation,
								   .actor = &who,
								   .store = store,
								   .name = deed->name,
								   .to = deed->to,
								   .digest = deed->digest,
								   .failure = failure,
								   .is_change = true,
							   });
	if (failure->error)
		journal_add(fs->options.journal, deed->operation, store, deed->name, failure);
}
