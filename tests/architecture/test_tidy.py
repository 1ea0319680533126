"""House rules that no linter checks."""

import ast
import inspect
import re
import subprocess
from pathlib import Path

import pytest

from runwire_server.domain import errors
from runwire_server.transport.errors import CODES

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("server/runwire_server", "clients/python/runwire", "tests", "examples", "tools")
    for path in (ROOT / folder).rglob("*.py")
    if "runwire/v1" not in path.as_posix()
)
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
LOCK = re.compile(r"(^|/)requirements/|\.lock$|-lock\.\w+$|(^|/)(go\.sum|pylock\.toml)$")
BANNED = re.compile(r"Manager|Handler|Helper|Utils|Common|^Base|Base$|Impl$|Data$|Info$")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_and_functions_are_small_and_well_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    is_test = path.name.startswith("test_")
    assert is_test or text.count("\n") <= FILE_LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name} has {length} lines"
        if isinstance(node, ast.ClassDef):
            assert not BANNED.search(node.name), f"{node.name} has a banned word"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nobody_swallows_a_cancellation(path: Path) -> None:
    if path.relative_to(ROOT).parts[0] == "tests":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Try):
            continue
        # A future of another thread's loop is cancelled by that loop; no cancellation of ours is in it.
        waits_in_a_thread = any("run_coroutine_threadsafe" in ast.unparse(line) for line in node.body)
        for handler in node.handlers:
            caught = "BaseException" if handler.type is None else ast.unparse(handler.type)
            if "BaseException" in caught or "CancelledError" in caught:
                raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(handler))
                assert raises or waits_in_a_thread, f"line {handler.lineno}"


def test_every_domain_error_has_a_status() -> None:
    for kind in vars(errors).values():
        if inspect.isclass(kind) and issubclass(kind, errors.RunwireError):
            is_mapped = any(base in CODES for base in kind.__mro__)
            assert is_mapped or kind is errors.RunwireError, kind


def test_pinned_lists_have_hashes() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        for entry in re.split(r"\n(?=\S)", path.read_text(encoding="utf-8").strip()):
            assert "--hash=sha256:" in entry, f"{path.name}: {entry[:60]}"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="only git knows what is committed")
def test_no_committed_lock_names_a_host() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    ).stdout.splitlines()
    locks = [name for name in listed if LOCK.search(name) and (ROOT / name).is_file()]

    assert locks
    assert not {"uv.lock", "pylock.toml"} & {Path(name).name for name in locks}
    for name in locks:
        assert "://" not in (ROOT / name).read_text(encoding="utf-8"), name


def test_every_client_has_the_same_service_config() -> None:
    shared = (ROOT / "clients" / "service_config.json").read_text(encoding="utf-8")
    copies = [
        path
        for path in (ROOT / "clients").glob("*/**/service_config.json")
        if not {"node_modules", "target", "dist"} & set(path.parts)
    ]

    assert copies
    assert {path.read_text(encoding="utf-8") for path in copies} == {shared}
