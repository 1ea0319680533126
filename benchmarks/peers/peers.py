"""The systems that Runwire is compared with: how each is started, and how a client asks it for a run.

A server gets the URL of the model server in MODEL_URL. In a URL or body a client replaces {i} by the number of the
run, {message} by the text for the model with JSON's escapes, and {id} by what `prepare_path_id` names in the answer
to the prepare request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".tools" / "peers"
_JSON = {"content-type": "application/json"}
_BOUNDARY = "runwire-bench"


@dataclass(frozen=True, slots=True)
class Peer:
    """A server to compare with. `command` makes its argv from a port and the environment's Python."""

    name: str
    command: Callable[[int, Path], list[str]]
    ready_url: str
    url: str
    body: str
    what_is_fair: str
    prepare_url: str = ""
    prepare_body: str = "{}"
    prepare_path_id: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: _JSON)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """Where `install` puts what the server needs; `home / "bin" / "python"` runs it."""
        return ENVIRONMENTS / self.name

    def argv(self, port: int) -> list[str]:
        """The command line that serves on a port of this machine."""
        return self.command(port, self.home / "bin" / "python")


def _uvicorn(name: str) -> Callable[[int, Path], list[str]]:
    def command(port: int, python: Path) -> list[str]:
        options = (
            "--host 127.0.0.1 --loop uvloop --http httptools --log-level warning --no-access-log --workers 1"
        )
        argv = [str(python), "-m", "uvicorn", "server:app", "--app-dir", str(HERE / name), *options.split()]
        return [*argv, "--port", str(port)]

    return command


def _langgraph(port: int, python: Path) -> list[str]:
    options = "--no-browser --no-reload --host 127.0.0.1 --n-jobs-per-worker 1000 --server-log-level warning"
    config = HERE / "langgraph" / "langgraph.json"
    argv = [str(python.with_name("langgraph")), "dev", "--config", str(config), *options.split()]
    return [*argv, "--port", str(port)]


def _form(**fields: str) -> str:
    parts = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return "".join(parts) + f"--{_BOUNDARY}--\r\n"


OPENAI_AGENTS = Peer(
    name="openai-agents",
    command=_uvicorn("openai-agents"),
    ready_url="http://127.0.0.1:{port}/health",
    url="http://127.0.0.1:{port}/chat",
    body='{"session_id": "s{i}", "message": "{message}"}',
    what_is_fair="Its Runner behind the FastAPI endpoint everybody writes around it, sending text deltas only; "
    "SQLiteSession in memory, tracing off.",
)
AGNO = Peer(
    name="agno",
    command=_uvicorn("agno"),
    ready_url="http://127.0.0.1:{port}/health",
    url="http://127.0.0.1:{port}/agents/bench/runs",
    body=_form(message="{message}", stream="true", session_id="s{i}", user_id="u{i}"),
    headers={"content-type": f"multipart/form-data; boundary={_BOUNDARY}"},
    what_is_fair="Its own AgentOS with the in-memory database, history on; telemetry and tracing off.",
)
ADK = Peer(
    name="adk",
    command=_uvicorn("adk"),
    ready_url="http://127.0.0.1:{port}/list-apps",
    url="http://127.0.0.1:{port}/run_sse",
    body='{"app_name": "bench", "user_id": "u{i}", "session_id": "s{i}", "streaming": true, '
    '"new_message": {"role": "user", "parts": [{"text": "{message}"}]}}',
    prepare_url="http://127.0.0.1:{port}/apps/bench/users/u{i}/sessions/s{i}",
    environment={"OTEL_SDK_DISABLED": "true", "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    what_is_fair="Its own api_server (get_fast_api_app) with in-memory services and LiteLLM; no web interface, "
    "OpenTelemetry off.",
)
LANGGRAPH = Peer(
    name="langgraph",
    command=_langgraph,
    ready_url="http://127.0.0.1:{port}/ok",
    url="http://127.0.0.1:{port}/threads/{id}/runs/stream",
    body='{"assistant_id": "bench", "stream_mode": ["messages-tuple"], '
    '"input": {"messages": [{"role": "user", "content": "{message}"}]}}',
    prepare_url="http://127.0.0.1:{port}/threads",
    prepare_path_id="thread_id",
    environment={
        "PYTHONPATH": str(HERE / "langgraph"),
        "LOG_LEVEL": "WARNING",
        "LANGSMITH_TRACING": "false",
        "LANGGRAPH_NO_VERSION_CHECK": "true",
    },
    what_is_fair="Its development server, the one that runs in memory and without a licence, with a job for each run "
    "instead of 10; the stream mode that sends tokens; no reloading, no files, tracing off.",
)

PEERS = {peer.name: peer for peer in (OPENAI_AGENTS, AGNO, ADK, LANGGRAPH)}
