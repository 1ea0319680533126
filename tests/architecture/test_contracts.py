"""Layers, protos and generated code are what they say they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runwire.v1 import agent_service_pb2, runner_service_pb2, session_service_pb2
from runwire_server.transport.agent_service import AgentService
from runwire_server.transport.runner_service import RunnerService
from runwire_server.transport.session_service import SessionService

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".tools"


def needs(path: Path) -> None:
    """Skip where a tool is missing; in CI that is a failure."""
    if not path.exists():
        assert os.environ.get("CI") != "true", f"{path} is missing: run the tests through `make test`"
        pytest.skip(f"{path.relative_to(ROOT)} is missing: run `make test`")


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, **environment}
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
def test_every_method_is_answered(module: object, servicer: type) -> None:
    (service,) = module.DESCRIPTOR.services_by_name.values()  # type: ignore[attr-defined]
    generated = servicer.__mro__[-2 if servicer.__mro__[-1] is object else -1]
    for method in service.methods:
        assert getattr(servicer, method.name) is not getattr(generated, method.name, None), method.name


def test_the_oldest_promised_runtime_imports_the_generated_code() -> None:
    needs(TOOLS / "lowest" / ".done")
    imports = "; ".join(
        f"import runwire.v1.{name}_pb2_grpc"
        for name in ("runner_service", "session_service", "agent_service")
    )

    done = run(
        str(TOOLS / "lowest" / "bin" / "python"),
        "-W",
        "error",
        "-c",
        f"{imports}; import runwire",
        PYTHONPATH=str(ROOT / "clients" / "python"),
    )

    assert done.returncode == 0, done.stderr
