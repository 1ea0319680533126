"""What this server runs: apps and their agents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runwire_server.agents.agent import Agent
from runwire_server.agents.paths import walk
from runwire_server.domain.errors import InvalidRequestError, NotFoundError
from runwire_server.domain.ids import RunKey
from runwire_server.domain.runs import RunOptions
from runwire_server.plugins.plugin import AppPlugins, Plugin
from runwire_server.plugins.session_hooks import SessionHooks
from runwire_server.tools.tool import Tool, ToolMiddleware

NO_HOOKS = SessionHooks()
NO_PLUGINS = AppPlugins()


@dataclass(frozen=True, slots=True)
class ServedApp:
    """An app as it is served. `default_agent` is one of `agents`."""

    name: str
    agents: Mapping[str, Agent]
    default_agent: str
    session_hooks: SessionHooks = NO_HOOKS
    plugins: AppPlugins = NO_PLUGINS
    tools: Mapping[str, Tool] = field(default_factory=dict)
    tool_middleware: tuple[ToolMiddleware, ...] = ()

    def agent(self, name: str) -> Agent:
        """Return the agent of that name; the default one for an empty name. Raises: NotFoundError."""
        agent = self.agents.get(name or self.default_agent)
        if agent is None:
            raise NotFoundError("agent", name)
        return agent

    def plugins_of(self, options: RunOptions) -> tuple[Plugin, ...]:
        """Return the plugins of a run, in order. Raises: InvalidRequestError (options.plugins)."""
        for place, name in enumerate(options.plugins):
            if name not in self.plugins.by_name:
                known = ", ".join(sorted(self.plugins.by_name)) or "none"
                raise InvalidRequestError.of(
                    f"options.plugins[{place}]", f"{name[:100]!r} is not a plugin that runs may name: {known}"
                )
        named = dict.fromkeys(options.plugins)
        return (*self.plugins.always, *(self.plugins.by_name[name] for name in named))

    def leaves_events_alone(self, options: RunOptions) -> bool:
        """Whether nothing of the app looks at a run's events before they are stored."""
        return not (self.session_hooks or self.plugins.always or options.plugins)


class Catalog:
    """All apps. The first is the default one."""

    def __init__(self, apps: Sequence[ServedApp]) -> None:
        self._apps = {app.name: app for app in apps}
        self._default = apps[0].name

    @property
    def app_names(self) -> tuple[str, ...]:
        """The apps' names, the default one first."""
        return tuple(self._apps)

    def app(self, name: str) -> ServedApp:
        """Return the app of that name; the default one for an empty name. Raises: NotFoundError."""
        app = self._apps.get(name or self._default)
        if app is None:
            raise NotFoundError("app", name)
        return app

    def run_key(self, app_name: str, request_id: str) -> RunKey:
        """Return the run's key, for the default app when the name is empty. Raises: NotFoundError (app)."""
        return RunKey(self.app(app_name).name, request_id)

    @property
    def apps(self) -> tuple[ServedApp, ...]:
        """All apps, the default one first."""
        return tuple(self._apps.values())

    @property
    def agents(self) -> tuple[Agent, ...]:
        """All agents of all apps, and those that they use."""
        roots = (agent for app in self._apps.values() for agent in app.agents.values())
        return tuple(inner for root in roots for _, inner in walk(root))
