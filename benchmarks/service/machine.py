"""What figures depend on: the machine, the versions, and what else it was doing."""

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.peers.peers import Peer
from benchmarks.service.plan import Plan
from benchmarks.service.processes import ROOT

_PACKAGES = ("grpcio", "protobuf", "uvloop", "openai", "aiohttp", "msgspec", "sqlalchemy", "pydantic")
# The package that each peer is, and those that its figures depend on most.
_OF_PEERS = re.compile(
    r"^(openai-agents|agno|google-adk|litellm|langgraph-api|langgraph|langchain-openai|trpc-agent-py|fastapi|uvicorn)"
    r"==(\S+)",
    re.MULTILINE,
)
_OF_GO = re.compile(r"^\s*(?:require )?(trpc\.group\S*trpc-agent-go) (v\S+)", re.MULTILINE)


def machine(plan: Plan) -> dict[str, Any]:
    """Return the facts."""
    return {
        "cpu": _first(Path("/proc/cpuinfo"), r"model name\s*:\s*(.*)"),
        "cores": os.cpu_count(),
        "memory_mib": int(_first(Path("/proc/meminfo"), r"MemTotal:\s*(\d+)") or 0) // 1024,
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "go": _said("go", "version"),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "peers": {
            peer.name: {"versions": _of(peer), "what_is_fair": peer.what_is_fair} for peer in plan.peers
        },
        "commit": _said("git", "describe", "--always", "--dirty"),
        "load_before": list(os.getloadavg()),
        "rounds": plan.rounds,
        "scale": plan.scale,
    }


def _first(path: Path, pattern: str) -> str:
    try:
        found = re.search(pattern, path.read_text())
    except OSError:
        return ""
    return found[1] if found is not None else ""


def _said(*argv: str) -> str:
    try:
        made = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return made.stdout.strip()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _of(peer: Peer) -> dict[str, str]:
    folder = ROOT / "benchmarks" / "peers" / (peer.folder or peer.name)
    found: dict[str, str] = {}
    for name, pattern in (("requirements.txt", _OF_PEERS), ("go.mod", _OF_GO)):
        if (folder / name).exists():
            found |= dict(pattern.findall((folder / name).read_text()))
    return found
