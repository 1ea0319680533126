"""The plugins of one run as one."""

from runwire_server.plugins.plugin import Plugin


class RunPlugins:
    """The plugins of one run. Falsy when there are none."""

    def __init__(self, plugins: tuple[Plugin, ...] = ()) -> None:
        self._plugins = plugins

    def __bool__(self) -> bool:
        return bool(self._plugins)
