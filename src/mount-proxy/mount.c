/*
 * The mount, and its directory. Who gets its descriptor is fd_pass.c's.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "mount_proxy.h"
#include "sstorefs/place.h"

static int refuse(int failed, const char *what, const char *mountpoint, struct buffer *why)
{
	failed = complain(-failed, "%s %s%s%s", mountpoint, what, why->length ? ": " : "", buffer_text(why));
	buffer_finish(why);
	return failed;
}

int opening_unmount(const char *mountpoint)
{
	struct buffer why = {0};
	struct mount_place place;
	int failed = place_open(&place, mountpoint, &why);

	while (!failed && place_is_ours(&place)) {
		failed = place_unmount(&place);
		place_close(&place);
		if (!failed)
			failed = place_open(&place, mountpoint, &why);
	}
	place_close(&place);
	return failed && failed != -ENOENT ? refuse(failed, "can't be unmounted", mountpoint, &why) : 0;
}

int opening_make_directory(const char *mountpoint)
{
	size_t end = strlen(mountpoint), begin;
	struct buffer parent = {0}, name = {0}, why = {0};
	struct mount_place place = PLACE_NONE;
	int failed;

	while (end > 0 && mountpoint[end - 1] == '/')
		end--;
	for (begin = end; begin > 0 && mountpoint[begin - 1] != '/';)
		begin--;
	if (begin == end)
		return 0; /* the root is there */
	buffer_append(&name, mountpoint + begin, end - begin);
	buffer_string(&parent, begin ? "" : ".");
	buffer_append(&parent, mountpoint, begin);
	failed = buffer_result(&parent) ? buffer_result(&parent) : buffer_result(&name);
	/* Through a descriptor of where it is to be, so that nobody who may change the way there can have it made elsewhere. */
	if (!failed)
		failed = place_open(&place, buffer_text(&parent), &why);
	/* Nobody but root can write into it while nothing is mounted there. */
	if (!failed && mkdirat(place.directory, buffer_text(&name), 0555) && errno != EEXIST)
		failed = -errno;
	if (failed)
		failed = refuse(failed, "can't be made", mountpoint, &why);
	place_close(&place);
	buffer_finish(&parent);
	buffer_finish(&name);
	return failed;
}

int opening_mount(const struct opening *opening)
{
	const struct place_mount mount = {.source = opening->source,
					  .uid = opening->uid,
					  .gid = opening->gid,
					  .allow_other = opening->allow_other,
					  .default_permissions = true,
					  .read_only = opening->read_only};
	const char *what = "";
	struct buffer why = {0};
	struct mount_place place;
	int failed = opening_unmount(opening->mountpoint);

	if (failed)
		return failed;
	failed = place_open(&place, opening->mountpoint, &why);
	if (!failed)
		failed = place_mount(&place, &mount, &what);
	if (failed < 0 && *what)
		buffer_printf(&why, "%s", what);
	place_close(&place);
	return failed < 0 ? refuse(failed, "can't be mounted on", opening->mountpoint, &why) : failed;
}
