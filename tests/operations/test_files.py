"""The page of operations, its units, images and compose file agree with each other and with the code."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from tests.serving.conftest import ROOT
from touchstone import COMMANDS, main

DOCS = ROOT / "docs"
PAGE = (DOCS / "operations.md").read_text(encoding="utf-8")
FILES = DOCS / "operations"
DOCKERFILES = ("Dockerfile", "service.Dockerfile")
COMPOSE = yaml.safe_load((FILES / "compose.yaml").read_text(encoding="utf-8"))


def text(name: str) -> str:
    """A file beside the page, without its comments."""
    lines = (FILES / name).read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))


def test_every_file_beside_the_page_is_named_in_it() -> None:
    names = {path.name for path in FILES.iterdir()} - {"Dockerfile.dockerignore", "service.Dockerfile"}
    assert {name for name in names if name not in PAGE} == set()
    assert "docs/operations/service.Dockerfile" in (ROOT / "bentofile.yaml").read_text(encoding="utf-8")


def test_every_link_of_the_page_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", PAGE) if "//" not in link]
    assert links
    assert [link for link in links if not (DOCS / link).exists()] == []


def test_every_command_of_the_page_exists() -> None:
    """With the options that it is given there."""
    calls = re.findall(r"(?:^ {4}|`|run --rm nightly )touchstone ([a-z-]+[^`#\n]*)", PAGE, flags=re.MULTILINE)
    assert len(calls) > 10
    for call in calls:
        words = call.split()
        assert words[0] in COMMANDS, call
        options = [word for word in words if word.startswith("--") and word != "--help"]
        if options:
            path = words[:2] if words[0] in ("keys", "models", "sources") else words[:1]
            described = CliRunner().invoke(main, [*path, "--help"]).output
            assert [option for option in options if option not in described] == [], call


@pytest.mark.parametrize("name", ["touchstone.service", "touchstone-nightly.service"])
def test_a_unit_runs_what_the_page_installs_and_writes_where_the_page_says(name: str) -> None:
    unit = text(name)
    assert "\nExecStart=/opt/touchstone/.venv/bin/touchstone " in unit
    assert "\nEnvironmentFile=/etc/touchstone/environment\n" in unit
    assert "\nUser=touchstone\n" in unit
    assert "\nReadWritePaths=/var/lib/touchstone\n" in unit
    for value in re.findall(r'="(/var[^"]*)"', text("environment")):
        assert value.startswith("/var/lib/touchstone/")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    """With a program that exists here in the place of the installed one."""
    for path in [*FILES.glob("*.service"), *FILES.glob("*.timer")]:
        content = path.read_text(encoding="utf-8").replace("/opt/touchstone/.venv/bin/touchstone", "/bin/true")
        (tmp_path / path.name).write_text(content, encoding="utf-8")
    units = [str(path) for path in sorted(tmp_path.iterdir())]
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_last_stage_of_an_image_has_no_compiler_and_no_rights(name: str) -> None:
    """It installs nothing but libgomp, belongs to a user, and both stages have the base that the builder names."""
    dockerfile = text(name)
    assert dockerfile.startswith("ARG BASE_IMAGE=docker.io/library/python:3.11-slim-")
    _, build, last = re.split(r"^FROM \$\{BASE_IMAGE\}", dockerfile, flags=re.MULTILINE)
    assert re.findall(r"apt-get install (.*?) \\", last) == ["--yes --no-install-recommends libgomp1"]
    assert "pip" not in last
    assert "\nUSER touchstone\n" in last
    assert last.index("USER touchstone") > last.index("RUN ")
    assert "--require-hashes --only-binary :all:" in build
    assert "-m serving.compile_kernels" in build
    assert re.findall(r"NUMBA_CACHE_DIR=(\S+)", dockerfile) == ["/app/numba", "/app/numba"]
    copied = set(re.findall(r"^COPY --from=build(?: --chown=\S+)? (\S+) \1$", last, flags=re.MULTILINE))
    assert copied >= {"/app/.venv", "/app/numba"}


def test_the_image_of_the_service_asks_whether_it_can_answer() -> None:
    assert "HEALTHCHECK" in text("service.Dockerfile")
    assert "http://127.0.0.1:3000/readyz" in text("service.Dockerfile")


def test_the_image_of_the_nights_holds_every_room() -> None:
    kept = {line[1:] for line in text("Dockerfile.dockerignore").splitlines() if line.startswith("!")}
    rooms = {"data", "features", "models", "sampling", "serving", "training", "policy"}
    assert kept == rooms | {"touchstone.py", "pyproject.toml", "requirements.lock", "README.md", "LICENSE"}
    assert all((ROOT / name).exists() for name in kept)


def test_no_port_of_the_compose_file_is_open_to_other_machines() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_the_nights_of_the_compose_file_run_only_when_asked_for_and_share_what_the_service_reads() -> None:
    service, nightly = COMPOSE["services"]["service"], COMPOSE["services"]["nightly"]
    assert (nightly["profiles"], nightly["restart"], nightly["command"]) == (["nightly"], "no", ["nightly"])
    assert "workspace:/workspace" in service["volumes"]
    assert "workspace:/workspace" in nightly["volumes"]
    shared = ("TOUCHSTONE_DATABASE_URL", "MLFLOW_TRACKING_URI")
    assert [service["environment"][name] for name in shared] == [nightly["environment"][name] for name in shared]
    depended = {name for each in COMPOSE["services"].values() for name in each.get("depends_on", ())}
    assert all("healthcheck" in COMPOSE["services"][name] for name in depended)
    volumes = {volume.partition(":")[0] for each in COMPOSE["services"].values() for volume in each["volumes"]}
    assert set(COMPOSE["volumes"]) == {name for name in volumes if name.isidentifier()}
