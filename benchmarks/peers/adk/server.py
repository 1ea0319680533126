"""ADK's api_server, made as its guides make it for production: `get_fast_api_app` under uvicorn."""  # noqa: INP001

from pathlib import Path

from google.adk.cli.fast_api import get_fast_api_app

app = get_fast_api_app(
    agents_dir=str(Path(__file__).parent / "agents"),
    session_service_uri="memory://",
    artifact_service_uri="memory://",
    memory_service_uri="memory://",
    web=False,
)
