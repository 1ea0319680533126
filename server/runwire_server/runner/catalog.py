"""What this server runs: apps and their agents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runwire_server.agents.agent import Agent
from runwire_server.domain.errors import NotFoundError
from runwire_server.plugins.session_hooks import SessionHooks

NO_HOOKS = SessionHooks()


@dataclass(frozen=True, slots=True)
class ServedApp:
    """An app as it is served. `default_agent` is one of `agents`."""

    name: str
    agents: Mapping[str, Agent]
    default_agent: str
    session_hooks: SessionHooks = NO_HOOKS

    def agent(self, name: str) -> Agent:
        """Return the agent of that name; the default one for an empty name. Raises: NotFoundError."""
        agent = self.agents.get(name or self.default_agent)
        if agent is None:
            raise NotFoundError("agent", name)
        return agent


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
