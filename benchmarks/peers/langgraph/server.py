"""LangGraph's development server, the one that runs in memory and without a licence: what `langgraph dev` starts.

Not `langgraph dev` itself, which drops `disable_persistence` from its configuration (langgraph-cli 0.4.40) and
so writes all state to files every ten seconds. uvicorn takes uvloop and httptools by itself where they are.
"""  # noqa: INP001

import sys
from pathlib import Path

from langgraph_api.cli import run_server

JOBS_AT_ONCE = 1000  # 1 if not said, where every other server takes all that come

run_server(
    port=int(sys.argv[1]),
    graphs={"bench": f"{Path(__file__).parent / 'graph.py'}:graph"},
    n_jobs_per_worker=JOBS_AT_ONCE,
    disable_persistence=True,
    server_level="WARNING",
)
