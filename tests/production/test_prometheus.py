"""What Prometheus is given beside the metrics: alert rules, a dashboard, and the way through a node exporter (contrib/prometheus)."""

import json
import re
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest
import yaml

from waiting import wait_until

FOLDER = Path(__file__).resolve().parents[2] / "contrib/prometheus"
ALERTS = yaml.safe_load((FOLDER / "alerts.yml").read_text())
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
VARIABLES = {"$__rate_interval": "5m", "$source": ".*", "$mountpoint": ".*"}


def promtool(*arguments, folder=FOLDER):
    done = subprocess.run(["promtool", *map(str, arguments)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dashboard_queries():
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    for name, value in VARIABLES.items():
        queries = [query.replace(name, value) for query in queries]
    return queries


def test_promtool_takes_the_alerts():
    assert f"{sum(len(group['rules']) for group in ALERTS['groups'])} rules found" in promtool("check", "rules", "alerts.yml")


def test_each_alert_fires_when_it_should_and_not_before():
    promtool("test", "rules", "alerts.test.yml")


def test_promtool_takes_the_queries_of_the_dashboard(tmp_path):
    rules = [{"record": f"panel:query:{number}", "expr": query} for number, query in enumerate(dashboard_queries())]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", "rules.yml", folder=tmp_path)


def test_what_they_ask_for_is_there(direct_mount, sandbox):
    """Every name, and every value of a label that is compared with a text."""
    sandbox.variant(fastly__rate_limit=1000)
    (direct_mount / "prod/NAME").write_text("val")
    text = direct_mount.control("metrics")
    queries = [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]] + dashboard_queries()
    asked = {name for query in queries for name in re.findall(r"\b(?:sstorefs|process)_\w+", query)}
    there = set(re.findall(r"^(\w+)[{ ]", text, re.MULTILINE))
    assert asked - there == set()
    for values in re.findall(r'(?:result|reason)=~?"([^"]*)"', " ".join(queries)):
        for value in values.split("|"):
            assert f'="{value}"' in text


@pytest.fixture
def node_exporter(tmp_path):
    """Collects what lies in `folder`; `scrape()` returns what Prometheus would get."""
    class Exporter:
        folder = tmp_path / "collected"

        def scrape(self):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
                return response.read().decode()

    Exporter.folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(["prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
                                f"--collector.textfile.directory={Exporter.folder}", f"--web.listen-address=127.0.0.1:{port}"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "the node exporter does not listen")
        yield Exporter()
    finally:
        process.kill()
        process.wait()


def test_a_node_exporter_collects_two_mounts_of_one_host(make_mount, direct, node_exporter):
    """Side by side with its own metrics, some of which have the same names."""
    mounts = [make_mount(direct), make_mount(direct)]
    for number, mount in enumerate(mounts):
        (node_exporter.folder / f"mount{number}.prom").symlink_to(mount / ".sstorefs/metrics")
    text = node_exporter.scrape()
    assert "node_textfile_scrape_error 0" in text
    for name in ("sstorefs_info", "process_open_fds"):
        found = re.findall(rf'^{name}{{.*mountpoint="([^"]*)".*}} ', text, re.MULTILINE)
        assert sorted(found) == sorted(str(mount.path) for mount in mounts)
    assert re.search(r"^process_open_fds \d", text, re.MULTILINE), "its own"
