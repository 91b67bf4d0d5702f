"""The dashboard, the alerts and the metrics, by a real Prometheus that scrapes a real bridge under load."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import yaml
from harness.bridge import Bridge
from harness.database import Database
from harness.device import Device
from harness.prometheus import Prometheus, promtool
from harness.waiting import eventually

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((ROOT / "Config/grafana/notify-bridge.json").read_text())
ALERTS = [rule for group in yaml.safe_load((ROOT / "Config/alerts.yml").read_text())["groups"] for rule in group["rules"]]


def queries() -> dict[str, str]:
    """Each query of the dashboard by its panel and letter."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in DASHBOARD["panels"] for target in panel.get("targets", [])}


def metrics_of(expression: str) -> set[str]:
    return {re.sub("_bucket$", "", name) for name in re.findall(r"(?:notify_bridge|process)_[a-z_]+", expression)}


async def test_each_query_of_the_dashboard_gives_data(serve: Serve, database: Database, connect: Connect) -> None:
    # A row that can't be read: one is in quarantine.
    await database.execute(
        "UPDATE notify_bridge.source SET payload = 'CASE WHEN data = ''0'' THEN to_jsonb(1 / (length(data::text) - 1)) ELSE data END'")
    bridge = await serve(database)
    device = await connect(bridge, 1)
    await database.insert(1, "0")

    async def load() -> None:
        while True:
            await database.insert(1)
            await device.notification()

    async with Prometheus(bridge.port) as prometheus:
        loading = asyncio.ensure_future(load())
        try:
            for variable in ("job", "instance"):
                query = next(item for item in DASHBOARD["templating"]["list"] if item["name"] == variable)["definition"]
                match = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
                assert match is not None
                series = await prometheus.query(match[1].replace("$job", ".*"))
                assert series and all(one["metric"][match[2]] for one in series), query
            for name, expression in queries().items():
                filled = expression.replace("$job", "notify-bridge").replace("$instance", f"127.0.0.1:{bridge.port}")
                filled = filled.replace("$__rate_interval", "5s")
                assert "$" not in filled, f"{name}: a variable that the dashboard lacks"

                async def data(filled: str = filled) -> bool:
                    series = await prometheus.query(filled)
                    return bool(series) and all(one["value"][1] != "NaN" for one in series)

                await eventually(data, bool, f"data of {name}: {filled}", 20)
        finally:
            loading.cancel()


async def test_dashboard_and_alerts_use_no_metric_that_a_bridge_lacks(bridge: Bridge) -> None:
    text = (await bridge.get("/metrics"))[2].decode()
    known = set(re.findall("# TYPE (\\S+)", text)) | {"notify_bridge_quarantined_rows"}
    used = set().union(*map(metrics_of, queries().values()), *(metrics_of(rule["expr"]) for rule in ALERTS))
    assert used and used <= known, used - known


async def test_metrics_are_as_prometheus_wants_them(bridge: Bridge, connect: Connect) -> None:
    await connect(bridge, 1)
    text = (await bridge.get("/metrics"))[2]
    assert await promtool("check", "metrics", input=text) == (0, "")


async def test_the_alerts_fire_when_they_should_and_not_before() -> None:
    status, output = await promtool("check", "config", "prometheus.yml", cwd=ROOT / "Config")
    assert status == 0, output
    status, output = await promtool("test", "rules", "alerts_test.yml", cwd=ROOT / "Config")
    assert status == 0 and "SUCCESS" in output, output
    tested = {test["name"] for test in yaml.safe_load((ROOT / "Config/alerts_test.yml").read_text())["tests"]}
    assert tested == {rule["alert"] for rule in ALERTS}


def test_each_alert_has_its_runbook_line_in_the_documents() -> None:
    text = (ROOT / "Documentation/operations.md").read_text()
    for rule in ALERTS:
        assert f"| `{rule['alert']}` | {rule['annotations']['runbook']} |" in text, rule["alert"]


async def test_what_the_process_uses_is_what_the_system_says(bridge: Bridge) -> None:
    samples = await bridge.metrics()
    folder = Path(f"/proc/{bridge.process.pid}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    resident = int(status["VmRSS"].split()[0]) * 1024
    assert resident / 1.5 < samples["process_resident_memory_bytes"] < resident * 1.5
    # The request's own socket is open while it is counted.
    assert abs(samples["process_open_fds"] - len(os.listdir(folder / "fd"))) <= 2
    limit = re.search(r"Max open files +(\d+)", (folder / "limits").read_text())
    assert limit is not None and samples["process_max_fds"] == int(limit[1])
    assert samples["process_cpu_seconds_total"] > 0
    born = float((folder / "stat").read_text().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    booted = float(re.search(r"btime (\d+)", Path("/proc/stat").read_text())[1])
    assert abs(samples["process_start_time_seconds"] - booted - born) < 0.01
