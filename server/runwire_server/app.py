"""The composition root, and what an app is made of: `from runwire_server.app import App, LlmAgent, ToolContext`."""

import asyncio
import gc
import importlib.util
import logging
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runwire_server import __version__
from runwire_server.agents.agent import Agent
from runwire_server.agents.llm import LlmAgent
from runwire_server.agents.paths import walk
from runwire_server.config import Config
from runwire_server.domain.errors import RunwireError, StopError
from runwire_server.domain.ids import ReplicaId, new_id
from runwire_server.models.opener import OfflineModels, OpenAIModels, open_models
from runwire_server.plugins.app_plugins import close_all as close_plugins
from runwire_server.plugins.app_plugins import make_app_plugins
from runwire_server.plugins.plugin import Plugin
from runwire_server.plugins.session_hooks import SessionHook, SessionHooks
from runwire_server.runner.catalog import Catalog, ServedApp
from runwire_server.runner.conversations import Conversations
from runwire_server.runner.keeper import Keeper, KeeperSettings
from runwire_server.runner.lifecycle import Lifecycle
from runwire_server.runner.mailing import Mailing
from runwire_server.runner.runner import Runner
from runwire_server.runner.settings import RunnerSettings
from runwire_server.runner.supervisor import Supervisor
from runwire_server.runner.watching import Watching
from runwire_server.storage.deferred import DeferredSettings, DeferredStore
from runwire_server.storage.opener import open_store
from runwire_server.storage.port import Store
from runwire_server.storage.routing import open_stores
from runwire_server.storage.url import safe_url
from runwire_server.telemetry.metrics import Metrics, serve_metrics
from runwire_server.tools.function import function_tool, tool
from runwire_server.tools.tool import Tool, ToolContext, ToolError, ToolMiddleware
from runwire_server.transport.agent_service import ServerFacts
from runwire_server.transport.server import Backend, Transport

__all__ = [
    "App",
    "LlmAgent",
    "Plugin",
    "SessionHook",
    "StartError",
    "StopError",
    "ToolContext",
    "ToolError",
    "function_tool",
    "load_app",
    "running",
    "serve",
    "tool",
]

_logger = logging.getLogger(__name__)
_STOP_GRACE_SECONDS = 1.0


class StartError(Exception):
    """The server cannot start. The text is one line for the operator."""


@dataclass(frozen=True, slots=True)
class App:
    """A namespace of agents. The first agent is the default one unless `default_agent` names another.

    `session_hooks` see, in order, what sessions store and show; see SessionHook. `plugins` take part in all runs, in
    order; `run_plugins` in those that name them. `tools` are what runs may add to an agent's own by name; functions
    become tools. `tool_middleware` wraps every call of a tool; the first is the outermost.
    `store` is a name in the server's `stores`; empty: the server's own store.
    """

    name: str
    agents: Sequence[Agent]
    default_agent: str = ""
    session_hooks: Sequence[SessionHook] = ()
    store: str = ""
    plugins: Sequence[Plugin] = ()
    run_plugins: Sequence[Plugin] = ()
    tools: Sequence[Tool | Callable[..., Any]] = ()
    tool_middleware: Sequence[ToolMiddleware] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """A running server. The addresses are where it listens, with the real ports; "" for metrics: nowhere.

    `warming` ends when models have what their first request needs, or when that failed.
    """

    address: str
    runner: Runner
    supervisor: Supervisor
    warming: asyncio.Task[None]
    metrics_address: str = ""


def load_app(spec: str | None) -> App:
    """Import `module:attribute`, with the working directory on the path. None: the example app.

    Raises: StartError.
    """
    if spec is None:
        return _example()
    module_name, _, attribute = spec.partition(":")
    if not module_name or not attribute:
        raise StartError(f"{spec!r} is not MODULE:APP, for example my_agents:app")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        _logger.debug("importing %s failed", module_name, exc_info=error)
        raise StartError(f"cannot import {module_name!r}: {type(error).__name__}: {error}") from error
    app = getattr(module, attribute, None)
    if not isinstance(app, App):
        found = "nothing" if app is None else type(app).__name__
        raise StartError(f"{spec!r} is not an App: {found} has that name in {module_name!r}")
    return app


def _example() -> App:
    """Load the example: from the repository when this is one, else the copy in the package."""
    here = Path(__file__).resolve().parent
    for folder in (here.parents[1] / "examples" / "assistant", here / "_example"):
        if (folder / "app.py").is_file():
            spec = importlib.util.spec_from_file_location("runwire_example", folder / "app.py")
            if spec is not None and spec.loader is not None:
                module = importlib.util.module_from_spec(spec)
                sys.modules[spec.name] = module
                spec.loader.exec_module(module)
                app: App = module.app
                return app
    raise StartError("no app to serve: name one as MODULE:APP")


@asynccontextmanager
async def running(config: Config, apps: Sequence[App]) -> AsyncGenerator[Service, None]:
    """Run a server for the time of the block; leaving drains it. Things close in reverse order of opening.

    Raises: StartError, UnavailableError and InvalidRequestError for what cannot be opened.
    """
    replica = ReplicaId(new_id())
    async with AsyncExitStack() as stack:
        metrics = Metrics()
        metrics_address = ""
        if config.metrics_listen:
            serving_metrics = serve_metrics(config.metrics_listen, metrics)
            metrics_address = await stack.enter_async_context(serving_metrics)
        store = await stack.enter_async_context(_open_stores(config, apps, metrics))
        models = _open_models(config)
        stack.push_async_callback(models.close)
        catalog = Catalog([_served(app, models) for app in apps])
        lifecycle = Lifecycle(catalog.agents)
        for served in catalog.apps:
            stack.push_async_callback(close_plugins, served.plugins)
        stack.push_async_callback(lifecycle.stop_all)
        supervisor = await stack.enter_async_context(Supervisor())
        runner = Runner(store, catalog, lifecycle, supervisor, _runner_settings(config, replica, metrics))
        keeper = Keeper(store, runner, supervisor, _keeper_settings(config, replica))
        facts = ServerFacts(__version__, store.kind, {"live_runs": config.runs_max})
        backend = Backend(
            runner=runner,
            watching=Watching(store, runner),
            mailing=Mailing(store, runner, _now),
            lifecycle=lifecycle,
            conversations=Conversations(store, catalog, _now),
            catalog=catalog,
            facts=facts,
        )
        transport = Transport(backend, with_reflection=config.reflection)
        port = await transport.start(config.listen)
        stack.push_async_callback(transport.stop, _STOP_GRACE_SECONDS)
        warming = supervisor.spawn("warm-up", models.warm_up())
        await lifecycle.start_all()
        await keeper.start()
        stack.push_async_callback(keeper.stop)
        await transport.serving()
        try:
            yield Service(_address(config.listen, port), runner, supervisor, warming, metrics_address)
        finally:
            await transport.draining()
            await asyncio.sleep(config.lame_duck_seconds)
            await runner.drain(config.drain_seconds)


def _runner_settings(config: Config, replica: ReplicaId, metrics: Metrics) -> RunnerSettings:
    return RunnerSettings(
        replica=replica,
        clock=_now,
        reattach_grace_seconds=config.reattach_grace_seconds,
        run_seconds_max=config.max_run_seconds,
        live_runs_max=config.runs_max,
        waiting_seconds_max=config.max_waiting_seconds,
        count_plugin_failure=metrics.count_plugin_failure,
    )


def _keeper_settings(config: Config, replica: ReplicaId) -> KeeperSettings:
    return KeeperSettings(
        replica=replica,
        clock=_now,
        lease_ttl_seconds=config.lease_ttl_seconds,
        run_retention=timedelta(hours=config.run_retention_hours),
        cleanup_interval_seconds=config.cleanup_interval_seconds,
    )


def _open_stores(config: Config, apps: Sequence[App], metrics: Metrics) -> AbstractAsyncContextManager[Store]:
    """Open what the server and its apps use. Raises: StartError for a name that is none."""
    by_app = {app.name: store_url(config, app.store) for app in apps if app.store}
    default = store_url(config, config.store)
    urls = list(dict.fromkeys((default, *by_app.values())))

    @asynccontextmanager
    async def open_one(url: str) -> AsyncGenerator[Store, None]:
        async with open_store(url, retention=config.retention(), migrate=config.migrate) as store:
            if config.persistence == "sync":
                yield store
                return
            settings = DeferredSettings(
                workers=config.persistence_workers,
                depth_max=config.persistence_queue,
                retry_seconds=config.persistence_retry_seconds,
            )
            name = f"store{urls.index(url)}" if len(urls) > 1 else ""
            deferred = DeferredStore(store, settings, metrics, name=name)
            try:
                yield deferred
            finally:
                await deferred.close()

    return open_stores(default, by_app, open_one)


def store_url(config: Config, name_or_url: str) -> str:
    """Return the URL of a store that is given by its name in `stores`, or by its URL. Raises: StartError."""
    if name_or_url in config.stores:
        return config.stores[name_or_url]
    if ":" in name_or_url:
        return name_or_url
    known = ", ".join(sorted(config.stores)) or "none"
    raise StartError(f"there is no store {name_or_url[:50]!r}; the stores with a name are: {known}")


async def serve(config: Config, apps: Sequence[App], *, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends at once. Raises: StartError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def on_signal() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    try:
        async with running(config, apps) as service:
            for line in _greeting(config, apps, service):
                announce(line)
            service.warming.add_done_callback(_leave_alone)
            await stop.wait()
            announce("stopping: no new runs; what is at work gets its time")
    except RunwireError as error:
        raise StartError(str(error)) from error


def _leave_alone(warming: asyncio.Task[None]) -> None:
    """Let the garbage collector forget what is there from the start: each full collection took 0.1 s for it."""
    if not warming.cancelled() and (error := warming.exception()) is not None:
        _logger.warning("what the first request needs could not be made ready: %s", error)
    gc.collect()
    gc.freeze()


def _greeting(config: Config, apps: Sequence[App], service: Service) -> list[str]:
    names = ", ".join(f"{app.name} ({', '.join(agent.name for agent in app.agents)})" for app in apps)
    store = safe_url(store_url(config, config.store))
    lines = [f"runwire {__version__} serves {names} on {service.address}, store {store}"]
    if service.metrics_address:
        lines.append(f"metrics: http://{service.metrics_address}/metrics")
    if isinstance(_open_models(config), OfflineModels):
        lines.append("model: offline rules, not a real model; set OPENAI_API_KEY to use one")
    else:
        lines.append(f"model: {config.openai_model}")
    return lines


def _open_models(config: Config) -> OfflineModels | OpenAIModels:
    key = config.openai_api_key
    return open_models(
        api_key=key.get_secret_value() if key is not None else None,
        base_url=config.openai_base_url,
        default=config.openai_model,
        idle_timeout_seconds=config.model_timeout_seconds,
    )


def _served(app: App, models: OfflineModels | OpenAIModels) -> ServedApp:
    agents = {agent.name: agent for agent in app.agents}
    default = app.default_agent or (app.agents[0].name if app.agents else "")
    if len(agents) != len(app.agents) or default not in agents:
        raise StartError(f"app {app.name!r} needs agents with different names, and its default among them")
    for agent in app.agents:
        for _, inner in walk(agent):
            if isinstance(inner, LlmAgent):
                inner.bind(models)
    for hook in app.session_hooks:
        if isinstance(hook, type) or not isinstance(hook, SessionHook):
            raise StartError(f"session hook {hook!r} of app {app.name!r} must be an object of a SessionHook")
    try:
        plugins = make_app_plugins(app.plugins, app.run_plugins)
        tools = [function_tool(given) if callable(given) else given for given in app.tools]
    except (TypeError, ValueError) as error:
        raise StartError(f"app {app.name!r}: {error}") from error
    return ServedApp(
        app.name,
        agents,
        default,
        SessionHooks(app.session_hooks),
        plugins,
        {tool.spec.name: tool for tool in tools},
        tuple(app.tool_middleware),
    )


def _address(listen: str, port: int) -> str:
    return listen if listen.startswith("unix:") or not port else f"{listen.rpartition(':')[0]}:{port}"


def _now() -> datetime:
    return datetime.now(UTC)
