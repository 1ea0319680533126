"""The systems that Runwire is compared with: how each is started, and how a client asks it for a run.

A server gets the URL of the model server in MODEL_URL. In a URL or body a client replaces {i} by the number of the
run, {message} by the text for the model with JSON's escapes, and {id} by what `prepare_path_id` names in the answer
to the prepare request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
    folder: str = ""

    @property
    def home(self) -> Path:
        """Where `install FOLDER` puts what the server needs; a peer without a folder has that of its name."""
        return ENVIRONMENTS / (self.folder or self.name)

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
    return [str(python), str(HERE / "langgraph" / "server.py"), str(port)]


def _trpc_agent_go(port: int, python: Path) -> list[str]:
    return [str(python.parents[1] / "server"), "--port", str(port)]


def _form(**fields: str) -> str:
    parts = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return "".join(parts) + f"--{_BOUNDARY}--\r\n"


def _adk_body(app: str) -> str:
    ids = f'"app_name": "{app}", "user_id": "u{{i}}", "session_id": "{{id}}"'
    return f'{{{ids}, "streaming": true, "new_message": {{"role": "user", "parts": [{{"text": "{{message}}"}}]}}}}'


OPENAI_AGENTS = Peer(
    name="openai-agents",
    command=_uvicorn("openai-agents"),
    ready_url="http://127.0.0.1:{port}/health",
    url="http://127.0.0.1:{port}/chat",
    body='{"message": "{message}"}',
    what_is_fair="Its Runner behind the FastAPI endpoint everybody writes around it, sending text deltas only; "
    "SQLiteSession in memory, tracing off.",
)
AGNO = Peer(
    name="agno",
    command=_uvicorn("agno"),
    ready_url="http://127.0.0.1:{port}/health",
    url="http://127.0.0.1:{port}/agents/bench/runs",
    body=_form(message="{message}", stream="true", user_id="u{i}"),
    headers={"content-type": f"multipart/form-data; boundary={_BOUNDARY}"},
    what_is_fair="Its own AgentOS with the in-memory database, history on; telemetry and tracing off.",
)
ADK = Peer(
    name="adk",
    command=_uvicorn("adk"),
    ready_url="http://127.0.0.1:{port}/list-apps",
    url="http://127.0.0.1:{port}/run_sse",
    body=_adk_body("bench"),
    prepare_url="http://127.0.0.1:{port}/apps/bench/users/u{i}/sessions",
    prepare_path_id="id",
    environment={"OTEL_SDK_DISABLED": "true"},
    what_is_fair="Its own api_server (get_fast_api_app) with in-memory services and its own OpenAI adapter; "
    "no web interface, OpenTelemetry off.",
)
ADK_LITELLM = replace(
    ADK,
    name="adk-litellm",
    folder="adk",
    body=_adk_body("bench_litellm"),
    prepare_url=ADK.prepare_url.replace("bench", "bench_litellm"),
    environment={**ADK.environment, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    what_is_fair="The same with LiteLLM, which its guides name for models that are not Google's.",
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
        "LOG_LEVEL": "WARNING",
        "LANGSMITH_TRACING": "false",
        "LANGGRAPH_NO_VERSION_CHECK": "true",
    },
    what_is_fair="Its development server, which alone runs in memory and without a licence, with a job for each run "
    "instead of 1; the stream mode that sends tokens; no reloading, no files, tracing off.",
)
TRPC_AGENT_PY = Peer(
    name="trpc-agent-py",
    command=_uvicorn("trpc-agent-py"),
    ready_url="http://127.0.0.1:{port}/health",
    url="http://127.0.0.1:{port}/chat",
    body='{"user_id": "u{i}", "message": "{message}"}',
    what_is_fair="Its Runner behind the FastAPI endpoint of its own example, sending text deltas only; "
    "in-memory sessions, one HTTP client for all runs instead of one each.",
)
TRPC_AGENT_GO = Peer(
    name="trpc-agent-go",
    command=_trpc_agent_go,
    ready_url="http://127.0.0.1:{port}/health",
    url="http://127.0.0.1:{port}/chat",
    body='{"user_id": "u{i}", "message": "{message}"}',
    what_is_fair="Not Python: its Runner in process behind net/http, sending text deltas only; in-memory sessions, "
    "as many threads as Go takes where the others have one.",
)

PEERS = {
    peer.name: peer
    for peer in (OPENAI_AGENTS, AGNO, ADK, ADK_LITELLM, LANGGRAPH, TRPC_AGENT_PY, TRPC_AGENT_GO)
}
