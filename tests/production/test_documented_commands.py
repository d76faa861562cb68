"""
Types the commands of README.md and the man pages as they are written there, on a machine where nothing was installed before. commands.table says which test
types, or runs, which command; a command that is missing there fails the last tests of this file.
"""

import json
import math
import os
import re
import subprocess
import time
from collections import defaultdict

import pytest
from documented import commands, pattern, plain
from systemd_container import TOP, Machine

pytestmark = pytest.mark.timeout(900)  # the first one builds
README = (TOP / "README.md").read_text()
MAN = TOP / "man"
SSTOREFS_1 = (MAN / "sstorefs.1.scd").read_text()
PACKAGES = (TOP / "contrib/install-dependencies.sh").read_text()


def blocks(text, after=""):
    """Returns the text between fences, from `after` on; scdoc(5) has two backslashes for one."""
    return [block.replace("\\\\", "\\") for block in re.findall(r"^```\n(.*?)^```$", text[text.index(after):], re.MULTILINE | re.DOTALL)]


def table(heading):
    """The commands in the second column of a table of the README."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = [line.split(" | ")[1] for line in section.splitlines() if line.startswith("| ") and line.count(" | ") == 1]
    return [command.replace(r"\|", "|") for cell in cells for command in re.findall(r"`([^`]+)`", cell)]


INSTALL, TRY, ACCOUNT, FSTAB = blocks(README, "\n## Install\n")[:4]
MOUNT = blocks(README)[0].splitlines()[0].removeprefix("# ")
TYPED = defaultdict(dict)  # by each test, with each of its parameters


class TypedOn(Machine):
    """Remembers what was typed, for the last test."""

    def run(self, script, **more):
        self.remember(script)
        return super().run(script, **more)

    def write(self, path, text, **more):
        self.remember(text)
        super().write(path, text, **more)

    @staticmethod
    def remember(text):
        name, row = re.search(r"(?:::(\w+)(\S*)|$)", os.environ.get("PYTEST_CURRENT_TEST", "")).groups()
        TYPED[name][row] = TYPED[name].get(row, "") + re.sub(r"\\\n\s*", " ", text) + "\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The tree, and what `Install` says of it."""
    machine = TypedOn("typed", tmp_path_factory.mktemp("typed"), boot=True)
    try:
        machine.start()
        tracked = subprocess.run(["git", "-C", TOP, "ls-files", "-z"], capture_output=True, check=True).stdout
        tree = subprocess.run(["tar", "-C", TOP, "-c", "--null", "-T", "-"], input=tracked, capture_output=True, check=True).stdout
        machine.write_bytes("/root/tree.tar", tree)
        machine.run("mkdir -p /typed/sstorefs && tar -x -C /typed/sstorefs -f /root/tree.tar")
        apt, *lines = INSTALL.splitlines()
        assert apt.startswith("apt install ")
        machine.run("set -e; cd /typed/sstorefs; " + "; ".join(lines), timeout=600)
        make, machine.put = ACCOUNT.splitlines()[:2]
        machine.run(make)
        yield machine
    finally:
        machine.finish()


@pytest.fixture
def machine(built, sandbox):
    """With a token, and an environment that names the sandbox for the service, for us and for systemd; one store, `store`."""
    sandbox.delete("prod")
    sandbox.seed("store", 0)
    built.service = {"FASTLY_API_ENDPOINT": sandbox.url, "FASTLY_USE_API_SIGNING_KEY": "1",
                     "CLOUDFLARE_API_BASE_URL": f"{sandbox.url}/client/v4", "CLOUDFLARE_ACCOUNT_ID": sandbox.account,
                     "SANDBOX": sandbox.url}
    variables = " ".join(f"{name}={value}" for name, value in built.service.items())
    built.run(f"systemctl set-environment {variables}; mkdir -p /mnt/secrets /mnt/prod")
    built.run(f"printf %s {sandbox.token} | {built.put}")
    built.write("/root/environment", f"export {variables}\n")
    yield built
    built.run("cd /; systemctl stop 'sstorefs@*' 'sstorefs-mount-proxy@*' 'mnt-*.automount' 'mnt-*.mount'; umount -l -a -t fuse.sstorefs;"
              "sed -i /sstorefs/d /etc/fstab; systemctl daemon-reload; systemctl reset-failed; rm -f /etc/sstorefs/*", check=False)


def types(machine, lines, at="/", **more):
    """In bash, as root, where every line must succeed."""
    machine.write("/root/lines", f"set -eo pipefail\n. /root/environment\ncd {at}\n{lines}\n")
    return machine.says("bash /root/lines", **more)


def mounted(machine, sandbox, service, store, lines, source=None):
    """Types in a store of the service, by the line of sstorefs(1) that mounts it. Returns the output."""
    mount = plain(re.search(rf"^\*mount -t fuse\.sstorefs {service}:.*", SSTOREFS_1, re.MULTILINE)[0]).replace("ACCOUNT_ID", sandbox.account)
    mount = mount.replace("OWNER/REPO", source or "octo/app").replace("token_file=...", "token_file=/etc/sstorefs/token")
    more = {"stripe": f",endpoint={sandbox.url}", "github": f",pace=none,endpoint={sandbox.url}"}.get(service, "")
    return types(machine, f"{mount}{more}\ncd /mnt/{store}\n{lines}")


# --- README.md --------------------------------------------------------------------------------------------------------------------


def test_the_tree_is_built_and_installed(built):
    assert built.says("sstorefs --version; stat -c %a /etc/sstorefs").split()[0] == "sstorefs"


def test_the_packages_that_installing_takes_are_those_that_building_takes():
    named = set(INSTALL.splitlines()[0].split()[2:])
    building = set(re.search(r"build_packages='(.*?)'", PACKAGES, re.DOTALL)[1].split())
    assert named == building - {"libc6-dev", "ninja-build"} | {"scdoc", "fuse3", "attr", "python3-h11", "python3-nacl"}, \
        "which gcc and meson bring, and what mounting and trying take"


@pytest.mark.parametrize("user", ["root", "newcomer"])
def test_the_emulator_is_tried_by_hand(machine, user):
    """With the words of the README alone, as root and as a user."""
    machine.run("id newcomer 2>/dev/null || useradd -m newcomer; rm -rf ~newcomer/mnt /root/mnt; chmod 666 /dev/fuse")
    machine.write("/tmp/try", "set -e; trap 'kill $(cat ~/try-pid) || true' EXIT\n" + TRY)
    machine.run("chmod 644 /tmp/try")
    run = "bash /tmp/try" if user == "root" else "cd ~newcomer && setpriv --reuid=newcomer --regid=newcomer --init-groups env HOME=$PWD bash /tmp/try"
    printed = machine.says(run)
    for name in ("created_at", "digest", 'expires_at="never"'):
        assert f"user.{name}" in printed


@pytest.mark.parametrize("source", ["fastly:", "fastly:store"])
def test_an_account_is_used_as_root(machine, sandbox, source):
    """The whole way, from the token to umount."""
    put, *lines = ACCOUNT.splitlines()[1:]
    machine.run("rmdir /mnt/secrets")
    lines = "\n".join(lines).replace("STORE", "store").replace("fastly: ", f"{source} ")
    lines = lines.replace("/store/", "/") if source == "fastly:store" else lines
    printed = types(machine, f"printf %s {sandbox.token} | {put}\n{lines}\nchattr -i /mnt/secrets")
    assert sandbox.uploads("NAME") == [b"val"] and "user.digest" in printed
    assert machine.says("stat -c %a /etc/sstorefs/token /etc/sstorefs").split() == ["600", "700"]


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
    (prepare,) = [line for line in ACCOUNT.splitlines() if "--prepare" in line]
    types(machine, f"rmdir /mnt/secrets; {prepare}\necho '{FSTAB.strip()}' >> /etc/fstab\nmount /mnt/secrets\necho val > /mnt/secrets/store/NAME && sync /mnt/secrets/store/NAME")
    assert sandbox.value("store", "NAME") == b"val"
    before, alive, probe = [command for command in table("In production") if command.startswith("sstorefs --check")]
    output = types(machine, f"{alive}\n{probe}\numount /mnt/secrets\n! echo val > /mnt/secrets/NAME")
    assert "good" in output and "below" not in output
    machine.run("chattr -i /mnt/secrets")
    sandbox.seed("prod", 0)
    assert "good" in types(machine, before)


def test_the_line_of_fstab_at_the_first_access(machine, sandbox):
    """And again once it is started anew (mount.fuse.sstorefs(8))."""
    look = "ls /mnt/secrets/store\necho val > /mnt/secrets/store/NAME && sync /mnt/secrets/store/NAME\n"
    types(machine, f"echo '{FSTAB.strip()}' >> /etc/fstab\nsystemctl daemon-reload\nsystemctl start mnt-secrets.automount\n{look}"
                   f"umount /mnt/secrets\nsystemctl restart mnt-secrets.automount\n{look}")
    assert sandbox.uploads("NAME") == [b"val"] * 2


def test_the_service_without_privilege(machine, sandbox):
    conf, token, start = [command for command in table("In production") if re.match(r"/etc/sstorefs|NAME|systemctl", command)]
    machine.write(conf, f"SOURCE=fastly:\nMOUNTPOINT=/mnt/secrets\nOPTIONS=endpoint={sandbox.url},signing_key=api\n")
    machine.write(f"/etc/sstorefs/{token}", sandbox.token)
    types(machine, f"systemctl daemon-reload\n{start}\necho val > /mnt/secrets/store/NAME && sync /mnt/secrets/store/NAME")
    assert sandbox.value("store", "NAME") == b"val"


FOLDERS = "echo of FILE > /root/FILE\nmkdir /root/SOURCE\necho bulk > /root/SOURCE/OTHER\n"


def test_what_to_type(machine, sandbox):
    """The table `Use`, from top to bottom, but for what other services have."""
    others = "setfattr", "df"
    written = [command for command in table("Use") if " " in command and command.split()[0] not in others]
    assert len(written) >= 18
    typed = [command.replace("FILE", "/root/FILE").replace("SOURCE", "/root/SOURCE") for command in written]
    types(machine, f"{MOUNT}\ncmd() {{ echo of cmd; }}\n{FOLDERS}" + "\n".join(
        f"cd /mnt{'' if 'STORE' in command else '/store'}\n{command}" for command in typed))
    uploads = sandbox.uploads("NAME")
    assert [value for value in uploads if len(value) != 32] == [b"val", b"of FILE", b"val", b"of cmd", b"of cmd"] and len(uploads) == 6
    assert sandbox.value("store", "NAME") is None, "rm NAME"
    assert set(sandbox.uploads("OTHER")) == {b"bulk"} and sandbox.value("store", "OTHER") == b"bulk"


def test_what_to_type_on_other_services(machine, sandbox):
    scopes, quota = [command for command in table("Use") if command.startswith(("setfattr", "df"))]
    sandbox.put("prod", "NAME", b"old", service="cloudflare")
    assert 'user.scopes="dex:workers"' in mounted(machine, sandbox, "cloudflare", "prod", f"{scopes}\ngetfattr -d NAME\ncd ..\n{quota.replace('STORE', 'prod')}\ncd /\numount /mnt")
    sandbox.seed("prod", 3, service="github")
    printed = mounted(machine, sandbox, "github", "prod", f"cd ..\n{quota.replace('STORE', 'prod')}\n{quota.replace('STORE', 'actions')}")
    used = [line.split()[2] for line in printed.splitlines() if "/mnt" in line]
    assert used == ["3", "0"]


def test_secrets_that_were_not_changed_for_ninety_days(machine, sandbox):
    """README and sstorefs(1) go by different times, which are the same for what this mount has not written."""
    sandbox.put("store", "OLD", b"x", created=time.time() - 100 * 86400)
    sandbox.put("store", "NEW", b"x")
    typed = [re.search(rf"find[\w /-]* -type f -{kind} \+90", text)[0] for kind, text in (("mtime", README), ("ctime", SSTOREFS_1))]
    assert types(machine, MOUNT + "\n" + "\n".join(f"cd /mnt/store\n{command}" for command in typed)).split() == ["/mnt/store/OLD", "./OLD"]


def test_metrics_for_a_node_exporter(machine, sandbox):
    """The link, as README and sstorefs(1) have it."""
    (link,) = [command for command in table("In production") if command.startswith("ln -s")]
    (folder,) = re.findall(r"(/var\S*)/", link)
    printed = types(machine, f"{MOUNT.replace(' /mnt ', ' /mnt/secrets ')}\nmkdir -p {folder}\n{link}\ncat {link.split()[-1]}")
    assert 'sstorefs_token_accepted{source="fastly:",mountpoint="/mnt/secrets"} 1' in printed


# --- the man pages ------------------------------------------------------------------------------------------------------------------


def test_examples_of_sstorefs_1(machine, sandbox):
    first, rotation, line = blocks(SSTOREFS_1, "\n# EXAMPLES\n")
    assert line == FSTAB
    assert "user.digest" in types(machine, f"{first}\numount /mnt")
    sandbox.put("prod", "SESSION_KEY", b"old")
    types(machine, rotation)
    assert len(sandbox.value("prod", "SESSION_KEY")) == 32


def test_checking_as_sstorefs_1_says(machine, sandbox):
    (both,) = blocks(SSTOREFS_1.split("\n# CHECKING\n")[1].split("\n# WRITING\n")[0])
    sandbox.seed("prod", 0)
    machine.write("/etc/sstorefs/prod.conf", f"SOURCE=fastly:\nMOUNTPOINT=/mnt/secrets\nOPTIONS=endpoint={sandbox.url},signing_key=api\n")
    machine.write("/etc/sstorefs/prod.token", sandbox.token)
    assert '"good"' in types(machine, f"systemd-sysusers\nsystemctl daemon-reload\n{both}")


@pytest.mark.parametrize("service,store,shown", [("cloudflare", "prod", 'user.comment="rotated weekly"'), ("stripe", "account", "user.expires_at=\"20"),
                                                 ("github", "actions", 'user.repositories="web:api"')])
def test_services_as_sstorefs_1_has_them(machine, sandbox, service, store, shown):
    title = {"cloudflare": "Cloudflare Secrets Store", "stripe": "Stripe Apps secrets", "github": "GitHub secrets"}[service]
    (block,) = blocks(SSTOREFS_1.split(f"\n## {title}\n")[1].split("\n#")[0])
    if service == "cloudflare":
        sandbox.seed(store, 0, service=service)
    assert shown in mounted(machine, sandbox, service, store, f"{block}\nsync NAME\ngetfattr -d NAME", source="octo-org")
    assert sandbox.uploads("NAME") == [b"val"]


def test_a_name_that_cloudflare_does_not_take(machine, sandbox):
    (typed,) = re.findall(r"\*(echo val > my\.secret)\*", SSTOREFS_1)
    sandbox.seed("prod", 0, service="cloudflare")
    mounted(machine, sandbox, "cloudflare", "prod", f"! {typed}")
    assert sandbox.uploads() == []


def test_what_sstorefs_1_says_of_sizes_and_attributes(machine, sandbox):
    sandbox.put("store", "OLD", b"old")
    (digest,) = re.findall(r"as \*(getfattr -n user.digest.*)\* does\.", SSTOREFS_1)
    digest = plain(digest)
    printed = types(machine, f"{MOUNT}\ncd /mnt/store\ntouch NEW\ntruncate -s 100 NEW\n! truncate -s 100 OLD\n"
                             f"for NAME in OLD NEW; do [ -s $NAME ]; getfattr -d $NAME; {digest.replace('NAME', '$NAME')}; done")
    assert sandbox.uploads() == [bytes(100)] and len(re.findall(r"^[0-9a-f]{64}$", printed, re.MULTILINE)) == 2


def test_writing_as_sstorefs_1_says(machine, sandbox):
    section = SSTOREFS_1.split("\n# WRITING\n")[1].split("\n# ")[0]
    ways, told, sync, whole = blocks(section)
    types(machine, f"{MOUNT}\ncd /mnt/store\ncmd() {{ echo of cmd; }}\n{ways}{told}{sync}{whole}")
    assert sandbox.uploads("NAME") == [b"val", b"a\nb\n", b"a\nb\n", b"val", b"val", b"of cmd", b"of cmd"]


def test_lines_of_fstab_of_mount_fuse_sstorefs_8(machine, sandbox):
    usual, at_boot, unprivileged = blocks((MAN / "mount.fuse.sstorefs.8.scd").read_text(), "\n# EXAMPLES\n")
    assert usual == FSTAB and at_boot == usual.replace(",noauto,x-systemd.automount", "")
    sandbox.seed("prod", 0)
    types(machine, "systemd-sysusers; getent group deploy || groupadd deploy\n"
                   f"echo '{usual.strip()}' >> /etc/fstab\necho '{unprivileged.strip()}' >> /etc/fstab\nsystemctl daemon-reload\n"
                   "systemctl start mnt-secrets.automount\necho one > /mnt/secrets/prod/ONE && sync /mnt/secrets/prod/ONE\n"
                   "systemctl stop mnt-secrets.automount\numount /mnt/secrets || true\nsed -i /automount/d /etc/fstab\n"
                   f"echo '{at_boot.strip()}' >> /etc/fstab\nsystemctl daemon-reload\nmount /mnt/secrets\nls /mnt/secrets/prod/ONE\n"
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


def test_examples_of_sstorefs_sandbox_1(machine):
    """On the port that they name, by the program that is installed and by that of the tree."""
    text = (MAN / "sstorefs-sandbox.1.scd").read_text()
    start, fault, down, many = [block.strip() for block in blocks(text, "\n# EXAMPLES\n")]
    options = "endpoint=http://127.0.0.1:8500,signing_key=api,token_file=/root/secret,ttl=minimal"
    ready = "\nuntil curl -s http://127.0.0.1:8500/_sandbox/state >/dev/null; do sleep 0.05; done\n"
    (tree,) = re.findall(r"\*(python3 contrib/sandbox)\*", text)
    printed = types(machine, f"(umask 077; echo secret > /root/secret)\n{start} {fault} >/root/sandbox 2>&1 &{ready}"
                             f"sstorefs fastly: /mnt -o {options}\nmkdir /mnt/small\necho val > /mnt/small/NAME && sync /mnt/small/NAME\numount /mnt\n{many}\n{down}\ncurl -s http://127.0.0.1:8500/_sandbox/faults\nkill $!; wait $! || true\n"
                             f"{start.replace('sstorefs-sandbox', tree)} >/root/sandbox 2>&1 &{ready}kill $!; wait $! || true", at="/typed/sstorefs")
    assert '"secrets": 100000' in printed and "retry_after" in printed


# --- the heads of contrib's files -------------------------------------------------------------------------------------------------------


def test_the_host_is_prepared_as_compose_yaml_says(machine, sandbox):
    head = (TOP / "contrib/container/compose.yaml").read_text().split("\nx-application")[0]
    directories, shared, token = re.findall(r"^#     ((?:install|mount) .*)", head, re.MULTILINE)
    types(machine, f"mount -t tmpfs tmpfs /srv\n{directories}\n{shared}\n! touch /srv/secrets/prod/NAME\nfindmnt -no PROPAGATION /srv/secrets | grep shared\n"
                   f"printf %s {sandbox.token} | {token}\nstat -c %a contrib/container/token | grep 400\nrm contrib/container/token\numount -l /srv/secrets /srv",
          at="/typed/sstorefs")


# --- the image ------------------------------------------------------------------------------------------------------------------------


def test_the_image_is_built_from_what_its_file_names(built):
    """As far as it goes without a registry: its packages are those that the program takes, and its commands make what it starts."""
    text = (TOP / "contrib/container/Containerfile").read_text().replace("\\\n\t", "")
    build, run = [set(line.split("&&")[0].split()) for line in re.findall(r"--no-install-recommends (.*)", text)]
    assert build == set(re.search(r"build_packages='(.*?)'", PACKAGES, re.DOTALL)[1].split()) - {"ninja-build"}
    linked = built.says(r"objdump -p /usr/local/bin/sstorefs | sed -n 's/^ *NEEDED *//p'").split()
    owners = {built.says(f"dpkg -S \"*/$(gcc -print-multiarch)/{library}\" | cut -d: -f1") for library in linked}
    as_on_12 = {"libfuse3-4": "libfuse3-3", "libcurl4t64": "libcurl4"}  # the image's release, whatever this machine's
    assert run == {as_on_12.get(name, name) for name in owners} - {"libc6"} | {"ca-certificates"}
    setup, install = re.search(r"^RUN (meson setup .*) && *(meson install .*)$", text, re.MULTILINE).groups()
    built.run(f"ln -s /typed/sstorefs /src; {setup}")
    assert install == "meson install -C /build --destdir /out" and "\nCOPY --from=build /out/ /\n" in text
    installed = json.loads(built.says("meson introspect --installed /build")).values()
    (entry,) = re.findall(r'^ENTRYPOINT \["(.*)"\]$', text, re.MULTILINE)
    assert {entry, "/usr/sbin/sstorefs-mount-proxy"} <= set(installed) and not [path for path in installed if "man" in path or "systemd" in path]


def test_the_units_that_are_examples(machine, sandbox):
    """As their heads say: each by itself."""
    heads = [(TOP / "contrib/systemd" / name).read_text() for name in ("mnt-secrets.mount", "mnt-secrets.automount")]
    for enable in [re.search(r"`(systemctl enable --now .*?)`", head)[1] for head in heads]:
        types(machine, f"cp /typed/sstorefs/contrib/systemd/mnt-secrets.* /etc/systemd/system/\nsystemctl daemon-reload\n{enable}\n"
                       "echo val > /mnt/secrets/store/NAME && sync /mnt/secrets/store/NAME\nsystemctl disable --now mnt-secrets.automount mnt-secrets.mount\n"
                       "rm /etc/systemd/system/mnt-secrets.*\nsystemctl daemon-reload\nchattr -i /mnt/secrets")
    assert sandbox.uploads("NAME") == [b"val"] * 2


# --- all of them ------------------------------------------------------------------------------------------------------------------------

HERE = "production/test_documented_commands.py"
# A test, or why there is none, and below it the commands.
LISTED = {command.strip(): test for test, rows in re.findall(r"^(\w.*)\n((?:\t.*\n)+)", (TOP / "tests/production/commands.table").read_text(), re.MULTILINE)
          for command in rows.splitlines()}


def test_each_command_that_a_user_is_told_to_type_has_a_test_or_a_reason():
    told = commands()
    assert len(told) > 120
    assert {command: files for command, files in told.items() if command not in LISTED} == {}, "add them to commands.table"
    assert [command for command in LISTED if command not in told] == [], "no document has them any more"


def test_the_tests_that_are_listed_exist_and_run_that_program():
    for command, test in LISTED.items():
        if test.startswith("not run: "):
            continue
        file, name = test.split("::")
        source = (TOP / "tests" / file).read_text()
        assert re.search(rf"^def {name}\(", source, re.MULTILINE), test
        program = command.split()[0].split("/")[-1]
        options = [word.split("=")[0] for word in command.split() if word.startswith("--")]
        assert file == HERE or [word for word in (program, *options) if word not in source] == [], (command, test)


def test_each_command_that_is_said_to_be_typed_here_was_typed():
    """By those tests of this file that ran, with all of their parameters."""
    for command, test in LISTED.items():
        file, _, name = test.partition("::")
        rows = [len(mark.args[1]) for mark in getattr(globals().get(name), "pytestmark", []) if mark.name == "parametrize"]
        if file == HERE and len(TYPED[name]) == math.prod(rows):
            assert pattern(command).search("\n".join(TYPED[name].values())), f"{name} did not type: {command}"
