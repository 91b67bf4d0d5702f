"""What is deployed fits together: the list of parts, the version of images, and the numbers of Kubernetes' manifests."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from harness.bridge import ROOT
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

pytestmark = pytest.mark.needs_no_program
MANIFESTS = ROOT / "Config/kubernetes"


def version() -> str:
    found = re.search(r'number = "([^"]+)"', (ROOT / "Sources/notify-bridge/Version.swift").read_text())
    assert found
    return found[1]


def default(setting: str) -> int:
    """A setting's default, of the annotated file."""
    found = re.search(rf"^\s*{setting}: (\d+)$", (ROOT / "Config/notify-bridge.yaml").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def test_the_list_of_parts_is_valid_spdx_and_names_every_swift_package(tmp_path: Path) -> None:
    made = subprocess.run([sys.executable, "Packaging/sbom.py", version()], cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    file = tmp_path / "notify-bridge.spdx.json"
    file.write_text(made.stdout)
    document = parse_file(str(file))
    assert validate_full_spdx_document(document) == []
    listed = {package.name: package.version for package in document.packages}
    pins = json.loads((ROOT / "Package.resolved").read_text())["pins"]
    assert len(pins) > 8 and listed["notify-bridge"] == version()
    assert {pin["identity"]: pin["state"]["version"] for pin in pins}.items() <= listed.items()
    assert all(str(package.license_declared) != "NOASSERTION" for package in document.packages)


def test_images_have_the_version_of_the_program() -> None:
    for file in ("compose.yaml", "Clients/django/example/compose.yaml"):
        services = yaml.safe_load((ROOT / file).read_text())["services"]
        images = {service["image"] for service in services.values() if service["image"].startswith("notify-bridge:")}
        assert images == {f"notify-bridge:{version()}"}
    assert f"ARG VERSION={version()}\n" in (ROOT / "Dockerfile").read_text()
    for file in MANIFESTS.glob("*/kustomization.yaml"):
        assert yaml.safe_load(file.read_text())["images"] == [{"name": "notify-bridge", "newTag": version()}]


def test_one_service_of_a_compose_file_builds_an_image() -> None:
    for file in ("compose.yaml", "Clients/django/example/compose.yaml"):
        services = yaml.safe_load((ROOT / file).read_text())["services"].values()
        built = [service["image"] for service in services if "build" in service]
        assert len(built) == len(set(built)) > 0
        # The others wait for it instead of pulling it.
        assert all(service.get("pull_policy") == "never" for service in services if service["image"] in built and "build" not in service)


def test_a_pod_has_time_to_drain_and_is_restarted_slowly() -> None:
    spec = yaml.safe_load((MANIFESTS / "base/deployment.yaml").read_text())["spec"]
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    wait = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    # The program's own limit is a second and a half above the drain's.
    assert pod["terminationGracePeriodSeconds"] > wait + default("drain_seconds") + 2
    ready, live = container["readinessProbe"], container["livenessProbe"]
    assert ready["httpGet"]["path"] == "/readyz" and ready["periodSeconds"] * ready["failureThreshold"] <= 5
    assert live["httpGet"]["path"] == "/healthz" and live["periodSeconds"] * live["failureThreshold"] >= 60
    assert pod["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
