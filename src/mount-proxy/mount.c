/* Mounts and unmounts by mount(2). */
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
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

/* Makes a directory and, as mkdir -p does, those above it. Returns 0 or -errno. */
static int make_directory(const char *path, mode_t mode, struct buffer *why)
{
	char *copies[] = {strdup(path), strdup(path)}; /* which are cut up */
	const char *parent = copies[0] ? dirname(copies[0]) : "";
	struct mount_place place = PLACE_NONE;
	int failed = copies[0] && copies[1] ? 0 : -ENOMEM;

	/* Makes it below an open directory: a change of the path can't lead elsewhere. */
	if (!failed)
		failed = place_open(&place, parent, why);
	if (failed == -ENOENT) {
		place_close(&place);
		failed = make_directory(parent, 0755, why);
		if (!failed)
			failed = place_open(&place, parent, why);
	}
	if (!failed && mkdirat(place.directory, basename(copies[1]), mode) && errno != EEXIST)
		failed = -errno;
	place_close(&place);
	free(copies[0]);
	free(copies[1]);
	return failed;
}

int make_mountpoint(const char *mountpoint)
{
	struct buffer why = {0};
	/* Only root can write into it while nothing is mounted there. */
	int failed = make_directory(mountpoint, 0555, &why);

	if (failed)
		failed = refuse(failed, "can't be made", mountpoint, &why);
	buffer_finish(&why);
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
