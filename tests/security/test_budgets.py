"""The service's rate limit is one for the whole account, and any user who may look at a mount can spend it: by asking, again and again."""

import json
import subprocess

import pytest

from private_mount import NOBODY, PYTHON, as_user
from services import SERVICES

# Each question so often; a call for each of them would be 3000.
TIMES = 300
QUESTIONS = ("os.statvfs(top)", "os.stat(f'{top}/{store}/ABSENT')", "os.stat(f'{top}/{store}/ABSENT{number}')",
             "os.stat(f'{top}/{store}/SECRET_0000001')", "os.listdir(f'{top}/{store}')", "os.listdir(top)", "os.stat(f'{top}/nostore')",
             "os.stat(f'{top}/nostore{number}')", "os.listxattr(f'{top}/{store}/SECRET_0000001')",
             "os.close(os.open(f'{top}/{store}/SECRET_0000001', os.O_WRONLY))")
STRANGER = """
import os, sys
top, store = sys.argv[1:3]
answered = 0
for question in sys.argv[4:]:
    for number in range(int(sys.argv[3])):
        try:
            eval(question)
        except OSError:
            pass
        answered += 1
print(answered)
"""


def seeded_service(name, sandbox):
    service = SERVICES[name]("direct", sandbox)
    service.seed(service.store, 3)
    return service


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("options", ["", "ttl=minimal", "ttl=0,negative_ttl=0"])
@pytest.mark.parametrize("status", [None, 401, 403, 404])
def test_a_stranger_cannot_spend_the_rate_limit(place, make_mount, sandbox, name, options, status):
    service = seeded_service(name, sandbox)
    mount = make_mount(service, start=False, options=",".join(filter(None, ["allow_other,umask=0", options])))
    mount.path = place / "mnt"
    mount.start()
    if status:
        sandbox.fault({"operation": f"{name}.*", "status": status})
    sandbox.clear()
    done = subprocess.run([PYTHON, "-c", STRANGER, mount.path, service.store, str(TIMES), *QUESTIONS], capture_output=True, text=True,
                          timeout=300, cwd="/", **as_user(NOBODY))
    assert done.stdout.strip() == str(TIMES * len(QUESTIONS)), done.stderr
    calls = [call["operation"] for call in sandbox.calls()]
    assert len(calls) <= 60, json.dumps({operation: calls.count(operation) for operation in set(calls)})


def test_what_was_refused_is_asked_again_when_the_owner_says_so(make_mount, sandbox):
    service = seeded_service("cloudflare", sandbox)
    mount = make_mount(service)
    sandbox.fault({"operation": "cloudflare.*", "status": 403})
    mount.refresh()
    failed = subprocess.run(["ls", mount / "prod"], capture_output=True, text=True)
    assert failed.returncode and "denied" in failed.stderr
    sandbox.clear_faults()
    mount.refresh()
    assert "SECRET_0000001" in subprocess.run(["ls", mount / "prod"], capture_output=True, text=True, check=True).stdout
