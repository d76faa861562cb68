"""Where the service can't rename, what was stored under a new name a few seconds ago takes another one: its value is still here."""

import errno
import os
import threading
import time

import pytest

from daemon import is_in_memory
from programs import close, errno_of, shell, write_file
from services import Cloudflare, Stripe
from waiting import wait_until

RETAINED = 10  # seconds


class Place:
    """A store of a service that can't rename onto a name that is taken."""

    def __init__(self, service, mount, store):
        self.service = service
        self.mount = mount
        self.store = store

    def __truediv__(self, name):
        return self.mount / self.store / name

    def value(self, name):
        return self.service.value(self.store, name)

    def put(self, name, value):
        """As another client. Stripe tells changes of the id alone: so it was made anew."""
        if self.service.name == "stripe" and self.value(name) is not None:
            self.service.delete(self.store, name)
        self.service.put(self.store, name, value)

    def names(self):
        return sorted(os.listdir(self.mount / self.store))

    def changes(self):
        """The calls that change something: what, and which name."""
        return [(call["operation"].partition(".")[2].partition("_")[0], call["name"]) for call in self.service.calls()
                if call["operation"].partition(".")[2].partition("_")[0] in ("set", "create", "patch", "delete", "duplicate")]


@pytest.fixture(params=[Stripe, Cloudflare], ids=["stripe", "cloudflare"])
def place(request, make_mount, sandbox):
    service = request.param("direct", sandbox).make_store()
    marker = request.node.get_closest_marker("mount_options")
    made = Place(service, make_mount(service, options=marker.args[0] if marker else ""), service.store)
    made.put("NAME", b"old")
    made.mount.refresh()
    return made


def test_it_replaces_what_has_the_name(place):
    """First it is stored under the real name, then the temporary one is deleted: at no moment is there none."""
    write_file(place / "NAME_new", b"val")
    os.rename(place / "NAME_new", place / "NAME")
    assert place.value("NAME") == b"val" and place.value("NAME_new") is None
    assert place.names() == ["NAME"]
    assert [name for _, name in place.changes()] == ["NAME_new", "NAME", "NAME_new"] and place.changes()[-1][0] == "delete"
    os.stat(place / "NAME")
    assert not (place / "NAME_new").exists()


def test_of_two_values_on_their_way_at_once_the_later_is_renamed(place):
    """The second one waits for the first, which was new, and what was retained of that is not the value of the name any more."""
    opened = [os.open(place / "NAME_new", os.O_WRONLY | os.O_CREAT, 0o600) for _ in range(2)]
    closing = []
    place.service.fault("*e*_secret*", name="NAME_new", hold="before")
    for descriptor, value in zip(opened, (b"first", b"second")):
        os.write(descriptor, value)
        closing.append(threading.Thread(target=close, args=[descriptor]))
        closing[-1].start()
        wait_until(lambda: f'"uploads_in_flight": {len(closing)}' in place.mount.control("status"))
    place.service.sandbox.wait_for_call(f"{place.service.name}.*", timeout=60, state="held")
    place.service.sandbox.release()
    for thread in closing:
        thread.join()
    assert place.value("NAME_new") == b"second"
    os.rename(place / "NAME_new", place / "NAME")
    assert place.value("NAME") == b"second"


def test_a_free_name_is_taken_too(place):
    write_file(place / "OTHER_new", b"val")
    os.rename(place / "OTHER_new", place / "OTHER")
    assert place.value("OTHER") == b"val" and place.names() == ["NAME", "OTHER"]


def test_it_is_stored_before_it_is_renamed(place):
    """Exit 0 means stored, whatever the name."""
    write_file(place / "NAME_new", b"val", os.O_CREAT | os.O_EXCL)
    assert place.value("NAME_new") == b"val"
    assert place.mount.unmount() == 0
    assert place.value("NAME_new") == b"val" and place.value("NAME") == b"old"


def test_mv_says_nothing_and_ends_well(place):
    done = shell('echo val > "$NAME.tmp" && mv "$NAME.tmp" "$NAME"', NAME=place / "NAME")
    assert (done.returncode, done.stderr) == (0, "")
    assert place.value("NAME") == b"val" and place.names() == ["NAME"]


def test_after_its_time_it_is_wiped_and_stays_where_it_is(place):
    """A rename after that fails, and the errors file says why."""
    value = b"a value that is in memory for ten seconds"
    write_file(place / "NAME_new", value)
    stored = time.monotonic()
    wait_until(lambda: is_in_memory(place.mount.pid, value), timeout=RETAINED / 2)
    wait_until(lambda: not is_in_memory(place.mount.pid, value))
    assert time.monotonic() - stored > RETAINED - 1
    assert errno_of(os.rename, place / "NAME_new", place / "NAME") == errno.EOPNOTSUPP
    assert place.value("NAME") == b"old" and place.value("NAME_new") == value
    assert "no longer at hand" in place.mount.control("errors")


@pytest.mark.parametrize("how", ["unlink", "rename", "overwrite by others"])
def test_what_is_of_no_use_any_more_is_wiped_at_once(place, how):
    value = b"a value that is not needed any more"
    write_file(place / "NAME_new", value)
    wait_until(lambda: is_in_memory(place.mount.pid, value), timeout=RETAINED / 2)
    if how == "unlink":
        os.unlink(place / "NAME_new")
    elif how == "rename":
        os.rename(place / "NAME_new", place / "NAME")
    else:
        place.put("NAME_new", b"theirs")
        assert errno_of(os.rename, place / "NAME_new", place / "NAME") == errno.EOPNOTSUPP
        assert place.value("NAME_new") == b"theirs" and place.value("NAME") == b"old"
    wait_until(lambda: not is_in_memory(place.mount.pid, value), timeout=RETAINED / 2)


def test_what_existed_is_not_retained(place):
    """It is no temporary file, and its value has no further use."""
    value = b"a value that was stored under an old name"
    write_file(place / "NAME", value)
    wait_until(lambda: not is_in_memory(place.mount.pid, value), timeout=RETAINED / 2)


def test_a_left_over_temporary_file_is_no_obstacle(place):
    """An earlier run may have been killed in between."""
    place.put("tmpAbCdEf12", b"left over")
    place.mount.refresh()
    write_file(place / "tmpAbCdEf12", b"val")
    os.rename(place / "tmpAbCdEf12", place / "NAME")
    assert place.value("NAME") == b"val" and place.names() == ["NAME"]


def test_the_last_value_is_the_one_that_is_renamed(place):
    write_file(place / "NAME_new", b"first")
    write_file(place / "NAME_new", b"second")
    os.rename(place / "NAME_new", place / "NAME")
    assert place.value("NAME") == b"second"


def test_it_may_still_be_open(place):
    descriptor = os.open(place / "NAME_new", os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, b"val")
    os.fsync(descriptor)
    os.rename(place / "NAME_new", place / "NAME")
    assert place.value("NAME") == b"val" and place.value("NAME_new") is None
    os.write(descriptor, b" and more")
    close(descriptor)
    assert place.value("NAME") == b"val and more" and place.names() == ["NAME"]


def test_a_refused_rename_leaves_all_as_it_was_and_can_be_tried_again(place):
    write_file(place / "NAME_new", b"val")
    place.service.fault(place.service.replaces, status=403, times=1)
    assert errno_of(os.rename, place / "NAME_new", place / "NAME") == errno.EACCES
    assert place.value("NAME") == b"old" and place.value("NAME_new") == b"val"
    os.rename(place / "NAME_new", place / "NAME")
    assert place.value("NAME") == b"val" and place.names() == ["NAME"]


def test_where_the_old_name_cannot_be_deleted_both_stay_with_a_message(place):
    write_file(place / "NAME_new", b"val")
    place.service.fault("delete_secret", status=403)
    assert errno_of(os.rename, place / "NAME_new", place / "NAME") == errno.EACCES
    assert place.value("NAME") == place.value("NAME_new") == b"val"
    assert place.names() == ["NAME", "NAME_new"]
    assert "under both names" in place.mount.control("errors")


@pytest.mark.parametrize("operation", ["writing", "delete_secret"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_reply_is_settled(place, operation, when):
    write_file(place / "NAME_new", b"val")
    place.service.fault(place.service.replaces if operation == "writing" else operation, reset=when, times=1)
    os.rename(place / "NAME_new", place / "NAME")
    assert place.value("NAME") == b"val" and place.value("NAME_new") is None
    assert place.names() == ["NAME"]


@pytest.mark.mount_options("timeout=2")
def test_a_reply_that_never_comes_is_unknown(place):
    write_file(place / "NAME_new", b"val")
    place.service.fault(place.service.replaces, hang="forever")
    assert errno_of(os.rename, place / "NAME_new", place / "NAME") in (errno.ETIMEDOUT, errno.EIO)
    place.service.sandbox.clear_faults()
    assert place.value("NAME_new") == b"val"
    wait_until(lambda: errno_of(write_file, place / "NAME", b"well") == 0)


def test_never_onto_a_taken_name_where_that_is_not_wanted(place):
    write_file(place / "NAME_new", b"val")
    done = shell('mv -n "$NAME"_new "$NAME"', NAME=place / "NAME")
    assert done.returncode in (0, 1)
    assert place.value("NAME") == b"old" and place.value("NAME_new") == b"val"


@pytest.mark.mount_options("nocreate")
def test_a_rotation_job_retains_nothing(place):
    value = b"a value that cannot be renamed"
    write_file(place / "NAME", value)
    wait_until(lambda: not is_in_memory(place.mount.pid, value), timeout=RETAINED / 2)


def test_two_that_change_names_the_opposite_way_both_end(place):
    """Names are taken in one order, so that neither waits for the other for ever."""
    write_file(place / "A_new", b"a")
    write_file(place / "B_new", b"b")
    done = shell('mv -T "$DIR/A_new" "$DIR/B_new" & mv -T "$DIR/B_new" "$DIR/A_new"; wait', DIR=place / "")
    assert done.returncode in (0, 1)
    assert [name for name in ("A_new", "B_new") if place.value(name) is not None]


def test_attributes_go_with_it(place):
    """What was asked for while it was open, as a staged file has it."""
    descriptor = os.open(place / "NAME_new", os.O_WRONLY | os.O_CREAT)
    stripe = place.service.name == "stripe"
    setting = ("user.expires_at", b"2099-01-01T00:00:00Z") if stripe else ("user.comment", b"by hand")
    os.setxattr(place / "NAME_new", *setting)
    os.write(descriptor, b"val")
    close(descriptor)
    os.rename(place / "NAME_new", place / "NAME")
    assert os.getxattr(place / "NAME", setting[0]) == setting[1]


@pytest.fixture
def small_place(make_mount, cloudflare):
    """A daemon that may lock little: a quarter of a megabyte is for what is retained, and a value is 40 KB."""
    mount = make_mount(cloudflare, start=False, source=cloudflare.source, options="timeout=5")
    arguments = mount.arguments
    mount.arguments = lambda *more: ["prlimit", f"--memlock={1 << 20}", "setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock", *arguments(*more)]
    return Place(cloudflare, mount.start(), "prod")


def test_writers_come_first(small_place):
    """What is retained is given up as soon as another value needs the room, the oldest first: no program waits for it, and none is refused."""
    values = [f"value {number:03} ".encode() * 4000 for number in range(30)]
    descriptors = []
    for number, value in enumerate(values[:20]):
        write_file(small_place / f"NAME{number}_new", value)
    for number, value in enumerate(values[20:]):
        descriptors.append(os.open(small_place / f"OTHER{number}", os.O_WRONLY | os.O_CREAT))
        os.write(descriptors[-1], value)
    for descriptor in descriptors:
        close(descriptor)
    assert small_place.mount.control("errors") == ""
    assert [small_place.value(f"OTHER{number}") for number in range(10)] == values[20:]
    assert not is_in_memory(small_place.mount.pid, values[0])
