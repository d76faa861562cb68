"""The source archive, the Debian package of it, the bill of materials, and a signed release."""

import json
import os
import re
import subprocess

import pytest

from systemd_container import TOP, Machine
from test_install import options
from daemon import BUILD

pytestmark = pytest.mark.timeout(900)  # the package is built


def test_dist_has_what_building_and_testing_take(archive):
    tracked = subprocess.run(["git", "-C", TOP, "ls-files"], capture_output=True, text=True, check=True).stdout.split()
    missing = [name for name in tracked if not (archive / name).exists() and not name.startswith(".git")]
    assert missing == []


def test_the_package_of_the_archive_is_installed_used_and_removed(package, sandbox, tmp_path):
    machine = Machine("package", tmp_path, boot=True)
    try:
        machine.start()
        with open(package, "rb") as file:
            machine.write_bytes("/root/sstorefs.deb", file.read())
        # What takes minutes and is not ours; and what this machine has, whose root the machine's is.
        machine.run("rm -rf /var/lib/man-db/auto-update /etc/sstorefs /usr/sbin/policy-rc.d")
        machine.run("mkdir /mnt/fstab && echo 'fastly: /mnt/fstab fuse.sstorefs noauto 0 0' >> /etc/fstab")
        machine.run("dpkg -i /root/sstorefs.deb && dpkg -V sstorefs && systemctl daemon-reload")
        assert machine.says("stat -c '%a %U' /etc/sstorefs") == "700 root"
        assert machine.run("echo val > /mnt/fstab/NAME", check=False).returncode != 0, "a mountpoint that it finds is closed to root"
        assert machine.says("stat -c '%a %U' /usr/bin/sstorefs /usr/sbin/sstorefs-mount-proxy").splitlines() == ["711 root"] * 2
        assert machine.says("readlink -f /sbin/mount.fuse.sstorefs") == "/usr/bin/sstorefs"

        machine.write("/etc/sstorefs/token", sandbox.token)
        machine.run(f"mkdir /mnt/secrets && mount -t fuse.sstorefs fastly: /mnt/secrets -o {options(sandbox)}")
        machine.run("echo one > /mnt/secrets/prod/ONE && sync /mnt/secrets/prod/ONE && umount /mnt/secrets")
        machine.write("/etc/sstorefs/prod.token", sandbox.token)
        machine.write("/etc/sstorefs/prod.conf",
                      f"SOURCE=fastly:\nMOUNTPOINT=/mnt/secrets\nOPTIONS=endpoint={sandbox.url},signing_key={sandbox.signing_key}\n")
        machine.run("systemctl start sstorefs@prod && echo two > /mnt/secrets/prod/TWO && sync /mnt/secrets/prod/TWO")
        assert sandbox.uploads() == [b"one", b"two"]

        machine.run("dpkg -r sstorefs")
        assert machine.run("findmnt /mnt/secrets", check=False).returncode != 0
        assert machine.says("ls /usr/bin/sstorefs* /usr/sbin/sstorefs* /usr/sbin/mount.fuse.sstorefs 2>/dev/null || true") == ""
        assert machine.says("ls /etc/sstorefs").split() == ["prod.conf", "prod.token", "token"], "tokens are their owner's"
        machine.run("rm /etc/sstorefs/*; dpkg -P sstorefs")
        assert machine.run("test -e /etc/sstorefs", check=False).returncode != 0
    finally:
        machine.finish()


@pytest.fixture(scope="session")
def unpacked(package, tmp_path_factory):
    to = tmp_path_factory.mktemp("unpacked")
    subprocess.run(["dpkg-deb", "-x", package, to], check=True)
    return to


def test_lintian_finds_nothing(package):
    done = subprocess.run(["lintian", "--allow-root", "--info", "--display-info", "--fail-on", "info,warning,error", package],
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_two_builds_are_the_same_bytes(package, archive, tmp_path):
    """In another directory, with another name, time zone and language."""
    there = tmp_path / "elsewhere"
    subprocess.run(["cp", "-a", archive, there], check=True)
    done = subprocess.run([there / "contrib/debian/build.sh", tmp_path], env={**os.environ, "TZ": "Asia/Kolkata", "LC_ALL": "C"},
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with open(package, "rb") as one, open(done.stdout.strip(), "rb") as other:
        assert one.read() == other.read()


def test_every_link_of_the_packaged_pages_leads_somewhere(unpacked):
    documents = unpacked / "usr/share/doc/sstorefs"
    links = [(page, link) for page in ("README.md", "SECURITY.md")
             for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (documents / page).read_text())]
    assert links and [(page, link) for page, link in links if not (documents / link).exists()] == []


def test_every_page_of_ours_that_another_names_is_packaged(unpacked):
    pages = {path.name.removesuffix(".gz") for path in (unpacked / "usr/share/man").rglob("*.gz")}
    for source in (TOP / "man").glob("*.scd"):
        for name, section in re.findall(r"\*([a-z.]*sstorefs[a-z-]*)\*\((\d)\)", source.read_text()):
            assert f"{name}.{section}" in pages, source.name


def test_the_packaged_sandbox_starts(unpacked):
    (script,) = unpacked.glob("usr/bin/sstorefs-sandbox")
    assert '"/usr/share/sstorefs/sandbox"' in script.read_text()
    shown = subprocess.run(["/usr/bin/python3", "-B", unpacked / "usr/share/sstorefs/sandbox", "--help"], capture_output=True, text=True)
    assert shown.returncode == 0 and "--listen" in shown.stdout


def test_the_bill_of_materials_names_what_is_linked(unpacked):
    bill = json.loads((unpacked / "usr/share/doc/sstorefs/sstorefs.spdx.json").read_text())
    assert bill["spdxVersion"] == "SPDX-2.3" and bill["creationInfo"]["created"] > "2026"
    versions = {entry["name"]: entry["versionInfo"] for entry in bill["packages"]}
    for name, pkg_config in {"libfuse3": "fuse3", "libcurl": "libcurl", "jansson": "jansson", "libsodium": "libsodium",
                             "libseccomp": "libseccomp"}.items():
        asked = subprocess.run(["pkg-config", "--modversion", pkg_config], capture_output=True, text=True, check=True)
        assert versions.pop(name) == asked.stdout.strip()
    assert list(versions) == ["sstorefs"]
    needed = subprocess.run(["readelf", "-d", unpacked / "usr/bin/sstorefs"], capture_output=True, text=True, check=True).stdout
    linked = set(re.findall(r"\[lib(\w+)[.-]", needed)) - {"c"}
    assert linked == {"fuse3", "curl", "jansson", "sodium", "seccomp"}


def test_a_release_is_signed_and_can_be_made_again(archive, tmp_path):
    tree, first, again, keys = (tmp_path / name for name in ("tree", "first", "again", "keys"))
    for path in (first, again, keys):
        path.mkdir(mode=0o700)
    subprocess.run(["cp", "-a", archive, tree], check=True)
    environment = {**os.environ, "GNUPGHOME": str(keys), "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "A",
                   "GIT_COMMITTER_EMAIL": "a@b"}

    def typed(*command):
        return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)

    def release(to):
        return typed("contrib/release/make.sh", "--key", "a@b", to)

    try:
        changelog = (tree / "CHANGELOG.md").read_text()
        (tree / "CHANGELOG.md").write_text(changelog.replace("## Unreleased", "## 0.1.0"))
        for command in (["git", "init", "-q"], ["git", "add", "-A"], ["git", "commit", "-qm", "release"],
                        ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", "a@b", "ed25519", "sign"]):
            done = typed(*command)
            assert done.returncode == 0, done.stderr
        assert "no tag v0.1.0" in release(first).stderr
        typed("git", "tag", "v0.1.0")
        (tree / "changed").write_text("")
        assert "files are changed" in release(first).stderr
        (tree / "changed").unlink()
        for to in (first, again):
            done = release(to)
            assert done.returncode == 0, done.stderr
        made = "sstorefs-0.1.0.tar.xz"
        assert (first / made).read_bytes() == (again / made).read_bytes()
        assert typed("gpg", "--verify", first / f"{made}.asc", first / made).returncode == 0
        with open(first / made, "ab") as damaged:
            damaged.write(b"x")
        assert typed("gpg", "--verify", first / f"{made}.asc", first / made).returncode != 0
    finally:
        typed("gpgconf", "--kill", "all")
