/* Mounts and unmounts by mount(2). */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "mount_proxy.h"
#include "sstorefs/place.h"

static int refuse(int failed, const char *what, const char *mountpoint, struct buffer *why)
{
	failed = usage_error(-failed, "%s %s%s%s", mountpoint, what, why->length ? ": " : "",
			     buffer_cstr(why));
	buffer_finish(why);
	return failed;
}

int unmount_ours(const char *mountpoint)
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
	return failed && failed != -ENOENT ? refuse(failed, "can't be unmounted", mountpoint, &why)
					   : 0;
}

int make_mountpoint(const char *mountpoint)
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
	buffer_puts(&parent, begin ? "" : ".");
	buffer_append(&parent, mountpoint, begin);
	failed = buffer_error(&parent) ? buffer_error(&parent) : buffer_error(&name);
	/* Makes it below an open directory: a change of the path can't lead elsewhere. */
	if (!failed)
		failed = place_open(&place, buffer_cstr(&parent), &why);
	/* Only root can write into it while nothing is mounted there. */
	if (!failed && mkdirat(place.directory, buffer_cstr(&name), 0555) && errno != EEXIST)
		failed = -errno;
	if (failed)
		failed = refuse(failed, "can't be made", mountpoint, &why);
	place_close(&place);
	buffer_finish(&parent);
	buffer_finish(&name);
	return failed;
}

int mount_fuse(const struct mount_spec *spec)
{
	const struct place_mount mount = {.source = spec->source,
					  .uid = spec->uid,
					  .gid = spec->gid,
					  .allow_other = spec->allow_other,
					  .default_permissions = true,
					  .read_only = spec->read_only};
	const char *what = "";
	struct buffer why = {0};
	struct mount_place place;
	int failed = unmount_ours(spec->mountpoint);

	if (failed)
		return failed;
	failed = place_open(&place, spec->mountpoint, &why);
	if (!failed)
		failed = place_mount(&place, &mount, &what);
	if (failed < 0 && *what)
		buffer_printf(&why, "%s", what);
	place_close(&place);
	return failed < 0 ? refuse(failed, "can't be mounted on", spec->mountpoint, &why) : failed;
}
