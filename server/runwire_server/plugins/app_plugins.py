"""The plugins of an app: checked when it is served, closed when the server stops."""

import logging
from collections.abc import Sequence

from runwire_server.plugins.guarded import HOOK_SECONDS_MAX, HookFailedError, call_hook
from runwire_server.plugins.plugin import AppPlugins, Plugin

_logger = logging.getLogger(__name__)
CLOSE_SECONDS_MAX = HOOK_SECONDS_MAX


def make_app_plugins(always: Sequence[Plugin], by_name: Sequence[Plugin]) -> AppPlugins:
    """Return the plugins of an app. Raises: ValueError, naming what is wrong."""
    seen: set[str] = set()
    for plugin in (*always, *by_name):
        if not isinstance(plugin, Plugin):
            raise ValueError(f"plugin {plugin!r} must be an object of a class derived from Plugin")  # noqa: TRY004
        if not isinstance(plugin.name, str) or not plugin.name.strip():
            raise ValueError("plugin name is empty, or not text")
        if plugin.name in seen:
            raise ValueError(f"duplicate plugin {plugin.name!r}")
        seen.add(plugin.name)
    return AppPlugins(tuple(always), {plugin.name: plugin for plugin in by_name})


async def close_all(plugins: AppPlugins) -> None:
    """Close all plugins, in reverse order, whatever some of them do."""
    for plugin in reversed((*plugins.always, *plugins.by_name.values())):
        try:
            await call_hook(f"{plugin.name}.close", plugin.close, seconds_max=CLOSE_SECONDS_MAX)
        except HookFailedError as error:
            _logger.warning("plugin %s did not close (error %s)", plugin.name, error.error_id)
