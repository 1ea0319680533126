"""Layers, protos and generated code are what they say they are."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pool

from runwire.v1 import agent_service_pb2, runner_service_pb2, session_service_pb2
from runwire_server.transport.agent_service import AgentService
from runwire_server.transport.runner_service import RunnerService
from runwire_server.transport.session_service import SessionService

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".tools"
COMMAND_SECONDS = 100.0


def needs(path: Path) -> None:
    """Skip where a tool is missing; in CI that is a failure."""
    if not path.exists():
        assert os.environ.get("CI") != "true", f"{path} is missing: run the tests through `make test`"
        pytest.skip(f"{path.relative_to(ROOT)} is missing: run `make test`")


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        timeout=COMMAND_SECONDS,
    )


def test_every_layer_imports_only_those_below_it() -> None:
    done = run(str(Path(sys.executable).parent / "lint-imports"), "--no-cache")

    assert done.returncode == 0, done.stdout


def test_generated_code_is_current() -> None:
    needs(TOOLS / "codegen" / ".done")

    done = run("tools/check-generated")

    assert done.returncode == 0, done.stdout + done.stderr


def test_protos_keep_the_rules() -> None:
    needs(TOOLS / "codegen" / ".done")

    done = run(str(TOOLS / "codegen" / "bin" / "buf"), "lint")

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "servicer"),
    [
        (runner_service_pb2, RunnerService),
        (session_service_pb2, SessionService),
        (agent_service_pb2, AgentService),
    ],
)
def test_every_method_is_made_or_said_to_come_later(module: Any, servicer: type) -> None:
    (service,) = module.DESCRIPTOR.services_by_name.values()
    generated = next(kind for kind in servicer.__mro__ if kind.__module__.startswith("runwire.v1"))

    inherited = [
        method.name
        for method in service.methods
        if getattr(servicer, method.name) is getattr(generated, method.name)
    ]

    assert not inherited


def test_every_service_is_served() -> None:
    served = {RunnerService, SessionService, AgentService}

    declared = re.findall(
        r"^service (\w+)",
        "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "protos").rglob("*.proto")),
        re.MULTILINE,
    )

    assert sorted(declared) == sorted(kind.__name__ for kind in served)


def test_every_enum_begins_with_unspecified() -> None:
    pool = descriptor_pool.Default()
    files = [
        pool.FindFileByName(path.relative_to(ROOT / "protos").as_posix())
        for path in sorted((ROOT / "protos").rglob("*.proto"))
    ]
    messages = [message for file in files for message in file.message_types_by_name.values()]
    for message in messages:
        messages.extend(message.nested_types)
    enums = [enum for holder in (*files, *messages) for enum in _enums(holder)]

    first = {enum.full_name: (enum.values[0].name.rsplit("_")[-1], enum.values[0].number) for enum in enums}

    assert first
    assert set(first.values()) == {("UNSPECIFIED", 0)}, first


def _enums(holder: Any) -> list[Any]:
    """The enums declared directly in a file or a message."""
    return list(getattr(holder, "enum_types", None) or getattr(holder, "enum_types_by_name", {}).values())


def test_the_oldest_promised_runtime_is_the_one_that_is_tried() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    promised = dict(re.findall(r"(\w+)>=([\d.]+)", " ".join(project["dependencies"])))

    tried = re.findall(
        r"^(\w+)==([\d.]+)", (ROOT / "requirements" / "lowest.txt").read_text(encoding="utf-8"), re.M
    )

    for name, version in promised.items():
        (pinned,) = (pin for found, pin in tried if found == name)
        assert pinned.removesuffix(".0") == version.removesuffix(".0"), name


def test_the_oldest_promised_runtime_imports_the_generated_code() -> None:
    needs(TOOLS / "lowest" / ".done")
    generated = (ROOT / "clients" / "python" / "runwire" / "v1").glob("*_pb2_grpc.py")
    imports = "; ".join(sorted(f"import runwire.v1.{path.stem}" for path in generated))

    done = run(
        str(TOOLS / "lowest" / "bin" / "python"),
        "-W",
        "error",
        "-c",
        f"{imports}; import runwire",
        PYTHONPATH=str(ROOT / "clients" / "python"),
    )

    assert imports
    assert done.returncode == 0, done.stderr
