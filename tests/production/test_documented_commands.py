"""Types the commands of README.md and the man pages as they are written there, on a machine where nothing was installed before."""

import json
import re
import subprocess

import pytest
from systemd_container import TOP, Machine

pytestmark = pytest.mark.timeout(900)  # the first one builds
README = (TOP / "README.md").read_text()
MAN = TOP / "man"
PACKAGES = (TOP / "contrib/install-dependencies.sh").read_text()


def blocks(text, after=""):
    """Returns the text between fences, from `after` on; scdoc(5) has two backslashes for one."""
    return [block.replace("\\\\", "\\") for block in re.findall(r"^```\n(.*?)^```$", text[text.index(after):], re.MULTILINE | re.DOTALL)]


def table(heading):
    """The commands in the second column of a table of the README."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = [line.split(" | ")[1] for line in section.splitlines() if line.startswith("| ") and line.count(" | ") == 1]
    return [command.replace(r"\|", "|") for cell in cells for command in re.findall(r"`([^`]+)`", cell)]


INSTALL, TRY, TOKEN, FSTAB = blocks(README, "\n## Install\n")[:4]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The tree, and what `Install` says of it."""
    machine = Machine("typed", tmp_path_factory.mktemp("typed"), boot=True)
    try:
        machine.start()
        tracked = subprocess.run(["git", "-C", TOP, "ls-files", "-z"], capture_output=True, check=True).stdout
        tree = subprocess.run(["tar", "-C", TOP, "-c", "--null", "-T", "-"], input=tracked, capture_output=True, check=True).stdout
        machine.write_bytes("/root/tree.tar", tree)
        machine.run("mkdir -p /typed/sstorefs && tar -x -C /typed/sstorefs -f /root/tree.tar")
        apt, *lines = INSTALL.splitlines()
        assert apt.startswith("apt install ")
        machine.run("set -e; cd /typed/sstorefs; " + "; ".join(lines), timeout=600)
        make, put = TOKEN.splitlines()
        machine.run(make)
        machine.put = put
        yield machine
    finally:
        machine.finish()


@pytest.fixture
def machine(built, sandbox):
    """With a token, and an environment that names the sandbox for the service, for us and for systemd; one store, `store`."""
    sandbox.delete("prod")
    sandbox.seed("store", 0)
    built.service = {"FASTLY_API_ENDPOINT": sandbox.url, "FASTLY_USE_API_SIGNING_KEY": "1",
                     "CLOUDFLARE_API_BASE_URL": f"{sandbox.url}/client/v4", "CLOUDFLARE_ACCOUNT_ID": sandbox.account}
    variables = " ".join(f"{name}={value}" for name, value in built.service.items())
    built.run(f"systemctl set-environment {variables}; mkdir -p /mnt/secrets /mnt/prod")
    built.run(f"printf %s {sandbox.token} | {built.put}")
    built.write("/root/environment", f"export {variables}\n")
    yield built
    built.run("cd /; systemctl stop 'sstorefs@*' 'sstorefs-mount-proxy@*' 'mnt-*.automount' 'mnt-*.mount'; umount -l -a -t fuse.sstorefs;"
              "sed -i /sstorefs/d /etc/fstab; systemctl daemon-reload; systemctl reset-failed; rm -f /etc/sstorefs/*", check=False)


def types(machine, lines, at="/", **more):
    """In bash, as root, where every line must succeed."""
    machine.write("/root/lines", f"set -e\n. /root/environment\ncd {at}\n{lines}\n")
    return machine.says("bash /root/lines", **more)


# --- README.md --------------------------------------------------------------------------------------------------------------------


def test_the_packages_that_installing_takes_are_those_that_building_takes():
    named = set(INSTALL.splitlines()[0].split()[2:])
    building = set(re.search(r"build_packages='(.*?)'", PACKAGES, re.DOTALL)[1].split())
    assert named == building - {"libc6-dev", "ninja-build"} | {"scdoc", "fuse3", "attr", "python3-h11", "python3-nacl"}, \
        "which gcc and meson bring, and what mounting and trying take"


@pytest.mark.parametrize("user", ["root", "newcomer"])
def test_the_emulator_is_tried_by_hand(machine, user):
    """With the words of the README alone, as root and as a user."""
    machine.run("id newcomer 2>/dev/null || useradd -m newcomer; rm -rf ~newcomer/mnt /root/mnt; chmod 666 /dev/fuse")
    machine.write("/tmp/try", "set -e\n" + TRY)
    machine.run("chmod 644 /tmp/try")
    run = "bash /tmp/try" if user == "root" else "cd ~newcomer && setpriv --reuid=newcomer --regid=newcomer --init-groups env HOME=$PWD bash /tmp/try"
    printed = machine.says(run)
    for name in ("created_at", "digest", 'expires_at="never"'):
        assert f"user.{name}" in printed


def test_the_first_screen(machine, sandbox):
    """The commands, and what they print: the digest and the time are the service's."""
    typed = [line[2:] for line in blocks(README)[0].splitlines() if line.startswith("# ")]
    shown = [line for line in blocks(README)[0].splitlines() if not line.startswith("# ")]
    assert len(typed) == 3 and len(shown) == 3
    printed = [line for line in types(machine, "\n".join(typed)).splitlines() if "=" in line]
    shape = re.compile(r"[0-9A-Za-z+/]")
    assert [shape.sub("x", line) for line in printed] == [shape.sub("x", line) for line in shown]
    assert sandbox.value("store", "NAME") == b"val"


def test_the_line_of_fstab(machine, sandbox):
    (prepare,) = set(re.findall(r"`(sstorefs-mount-proxy --prepare .*?)`", README))
    types(machine, f"rmdir /mnt/secrets; {prepare}\necho '{FSTAB.strip()}' >> /etc/fstab\nmount /mnt/secrets\necho val > /mnt/secrets/store/NAME && sync /mnt/secrets/store/NAME")
    assert sandbox.value("store", "NAME") == b"val"
    before, alive, probe = [command for command in table("In production") if command.startswith("sstorefs --check")]
    output = types(machine, f"{alive}\n{probe}\numount /mnt/secrets\n! echo val > /mnt/secrets/NAME")
    assert "good" in output and "below" not in output
    machine.run("chattr -i /mnt/secrets")
    sandbox.seed("prod", 0)
    assert "good" in types(machine, before)


def test_the_line_of_fstab_at_the_first_access(machine, sandbox):
    (less,) = [command for command in table("In production") if "automount" in command]
    assert less in FSTAB
    types(machine, f"echo '{FSTAB.strip()}' >> /etc/fstab\nsystemctl daemon-reload\nsystemctl start mnt-secrets.automount\nls /mnt/secrets/store\n"
                   "echo val > /mnt/secrets/store/NAME && sync /mnt/secrets/store/NAME")
    assert sandbox.value("store", "NAME") == b"val"


def test_the_service_without_privilege(machine, sandbox):
    conf, token, start = [command for command in table("In production") if re.match(r"/etc/sstorefs|NAME|systemctl", command)]
    machine.write(conf, f"SOURCE=fastly:\nMOUNTPOINT=/mnt/secrets\nOPTIONS=endpoint={sandbox.url},signing_key=api\n")
    machine.write(f"/etc/sstorefs/{token}", sandbox.token)
    types(machine, f"systemctl daemon-reload\n{start}\necho val > /mnt/secrets/store/NAME && sync /mnt/secrets/store/NAME")
    assert sandbox.value("store", "NAME") == b"val"


PROGRAMS = {"echo", "cp", "openssl", "value=$(cmd)", "umask", "ls", "getfattr", "rm", "mkdir", "rmdir", "df", "find", "cat"}


def test_what_to_type(machine, sandbox):
    """The table `Use`, from top to bottom."""
    commands = [command for command in table("Use") if command.split()[0] in PROGRAMS and " " in command]
    assert PROGRAMS == {command.split()[0] for command in commands}
    mount = blocks(README)[0].splitlines()[0][2:]
    commands = [command.replace("FILE", "/root/FILE").replace("SOURCE", "/root/SOURCE") for command in commands]
    types(machine, f"{mount}\ncmd() {{ echo of cmd; }}\necho of FILE > /root/FILE\nmkdir /root/SOURCE\necho bulk > /root/SOURCE/OTHER\n" + "\n".join(
        f"cd /mnt{'' if 'STORE' in command else '/store'}\n{command}" for command in commands))
    uploads = sandbox.uploads("NAME")
    assert [value for value in uploads if len(value) != 32] == [b"val", b"of FILE", b"val", b"of cmd", b"of cmd"] and len(uploads) == 6
    assert sandbox.value("store", "NAME") is None, "rm NAME"


# --- the man pages ------------------------------------------------------------------------------------------------------------------


def test_examples_of_sstorefs_1(machine, sandbox):
    first, rotation, line = blocks((MAN / "sstorefs.1.scd").read_text(), "\n# EXAMPLES\n")
    assert line == FSTAB
    assert "user.digest" in types(machine, f"{first}\numount /mnt")
    sandbox.put("prod", "SESSION_KEY", b"old")
    types(machine, rotation)
    assert len(sandbox.value("prod", "SESSION_KEY")) == 32


def test_checking_as_sstorefs_1_says(machine, sandbox):
    (both,) = blocks((MAN / "sstorefs.1.scd").read_text().split("\n# CHECKING\n")[1].split("\n# WRITING\n")[0])
    sandbox.seed("prod", 0)
    machine.write("/etc/sstorefs/prod.conf", f"SOURCE=fastly:\nMOUNTPOINT=/mnt/secrets\nOPTIONS=endpoint={sandbox.url},signing_key=api\n")
    machine.write("/etc/sstorefs/prod.token", sandbox.token)
    assert '"good"' in types(machine, f"systemd-sysusers\nsystemctl daemon-reload\n{both}")


@pytest.mark.parametrize("service", ["Cloudflare Secrets Store", "Stripe Apps secrets"])
def test_services_as_sstorefs_1_has_them(machine, sandbox, service):
    section = (MAN / "sstorefs.1.scd").read_text().split(f"\n## {service}\n")[1].split("\n#")[0]
    mount = re.search(r"^\*(mount .*)", section, re.MULTILINE)[1].replace("*", "").replace("_ACCOUNT_ID_", sandbox.account)
    mount = mount.replace("token_file=...", "token_file=/etc/sstorefs/token")
    (block,) = blocks(section)
    store = "account"
    if service.startswith("Cloudflare"):
        store = "prod"
        sandbox.seed("prod", 0, service="cloudflare")
    else:
        mount += f",endpoint={sandbox.url}"
    output = types(machine, f"{mount}\ncd /mnt/{store}\n{block}\nsync NAME\ngetfattr -d NAME")
    assert sandbox.uploads("NAME") == [b"val"]
    assert ('user.comment="rotated weekly"' in output) if store == "prod" else not re.search('expires_at="never"', output)


def test_writing_as_sstorefs_1_says(machine, sandbox):
    section = (MAN / "sstorefs.1.scd").read_text().split("\n# WRITING\n")[1].split("\n# ")[0]
    ways, told, sync, whole = blocks(section)
    mount = blocks(README)[0].splitlines()[0][2:]
    types(machine, f"{mount}\ncd /mnt/store\ncmd() {{ echo of cmd; }}\n{ways}{told}{sync}{whole}")
    assert sandbox.uploads("NAME") == [b"val", b"a\nb\n", b"a\nb\n", b"val", b"val", b"of cmd", b"of cmd"]


def test_lines_of_fstab_of_mount_fuse_sstorefs_8(machine, sandbox):
    usual, at_boot, unprivileged = blocks((MAN / "mount.fuse.sstorefs.8.scd").read_text(), "\n# EXAMPLES\n")
    assert usual == FSTAB and at_boot == usual.replace(",noauto,x-systemd.automount", "")
    sandbox.seed("prod", 0)
    types(machine, "systemd-sysusers; getent group deploy || groupadd deploy\n"
                   f"echo '{usual.strip()}' >> /etc/fstab\necho '{unprivileged.strip()}' >> /etc/fstab\nsystemctl daemon-reload\n"
                   "systemctl start mnt-secrets.automount\necho one > /mnt/secrets/prod/ONE && sync /mnt/secrets/prod/ONE\n"
                   "mount /mnt/prod\nsetpriv --reuid=nobody --regid=deploy --clear-groups sh -c 'echo two > /mnt/prod/TWO && sync /mnt/prod/TWO'")
    assert (sandbox.value("prod", "ONE"), sandbox.value("prod", "TWO")) == (b"one", b"two")


def test_the_commands_of_sstorefs_mount_proxy_8(machine, sandbox):
    both, prepare = blocks((MAN / "sstorefs-mount-proxy.8.scd").read_text(), "\n# EXAMPLES\n")
    serve, ask = both.replace("\\\n", "").splitlines()
    sandbox.seed("prod", 0)
    machine.run(f"mkdir -p /secrets /run/mount-proxy && install -m 400 -o 65534 /etc/sstorefs/token /run/token")
    types(machine, f"{prepare}\nchattr -i /mnt/secrets\n{serve} >/root/mount-proxy.log 2>&1 &\nproxy=$!\n"
                   f"setpriv --reuid=65534 --regid=65534 --clear-groups {ask} >/root/daemon.log 2>&1 &\ndaemon=$!\n"
                   "until setpriv --reuid=65534 --regid=65534 --clear-groups sstorefs --check /secrets >/root/check.log; do sleep 0.05; done\n"
                   "setpriv --reuid=65534 --regid=65534 --clear-groups sh -c 'echo val > /secrets/NAME && sync /secrets/NAME'\n"
                   "kill $daemon; wait $daemon; kill $proxy; wait $proxy")
    assert sandbox.value("prod", "NAME") == b"val"


# --- the image ------------------------------------------------------------------------------------------------------------------------


def test_the_image_is_built_from_what_its_file_names(built):
    """As far as it goes without a registry: its packages are those that the program takes, and its commands make what it starts."""
    text = (TOP / "contrib/container/Containerfile").read_text().replace("\\\n\t", "")
    build, run = [set(line.split("&&")[0].split()) for line in re.findall(r"--no-install-recommends (.*)", text)]
    assert build == set(re.search(r"build_packages='(.*?)'", PACKAGES, re.DOTALL)[1].split()) - {"ninja-build"}
    linked = built.says(r"objdump -p /usr/local/bin/sstorefs | sed -n 's/^ *NEEDED *//p'").split()
    owners = {built.says(f"dpkg -S \"*/$(gcc -print-multiarch)/{library}\" | cut -d: -f1") for library in linked}
    assert run == owners - {"libc6"} | {"ca-certificates"}
    setup, install = re.search(r"^RUN (meson setup .*) && *(meson install .*)$", text, re.MULTILINE).groups()
    built.run(f"ln -s /typed/sstorefs /src; {setup}")
    assert install == "meson install -C /build --destdir /out" and "\nCOPY --from=build /out/ /\n" in text
    installed = json.loads(built.says("meson introspect --installed /build")).values()
    (entry,) = re.findall(r'^ENTRYPOINT \["(.*)"\]$', text, re.MULTILINE)
    assert {entry, "/usr/sbin/sstorefs-mount-proxy"} <= set(installed) and not [path for path in installed if "man" in path or "systemd" in path]
