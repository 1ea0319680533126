"""Which tools an agent has in a run: one list for what the model is shown and for what is executed."""

from collections.abc import Collection, Mapping
from dataclasses import field

from runwire_server.domain.content import ToolSpec
from runwire_server.domain.errors import FieldViolation
from runwire_server.domain.record import record
from runwire_server.domain.runs import ToolSelection
from runwire_server.tools.tool import Tool


@record(frozen=True, slots=True)
class Toolbox:
    """`tools` are executed here, `client_tools` by the caller. `approved_first` are names of either."""

    tools: Mapping[str, Tool] = field(default_factory=dict)
    client_tools: Mapping[str, ToolSpec] = field(default_factory=dict)
    approved_first: frozenset[str] = frozenset()

    def specs(self) -> tuple[ToolSpec, ...]:
        """Return what the model is told, in a stable order."""
        return (*(tool.spec for tool in self.tools.values()), *self.client_tools.values())

    def names(self) -> list[str]:
        """Return all names."""
        return [*self.tools, *self.client_tools]


def select_tools(
    own: Mapping[str, Tool], app: Mapping[str, Tool], selection: ToolSelection | None
) -> Toolbox:
    """Return an agent's tools in a run. `app` are those that a selection may name beside its own.

    Unknown names are left out: check_selection refuses them where they are meant for this agent.
    """
    if selection is None:
        return Toolbox(dict(own))
    known = {**app, **own}
    tools = {name: known[name] for name in selection.server_names(own) if name in known}
    # The agent's own come first where both have a name: the check refuses that.
    clients = {spec.name: spec for spec in selection.client_tools if spec.name not in tools}
    return Toolbox(tools, clients, frozenset(selection.approved_first))


def check_selection(
    own: Mapping[str, Tool],
    app: Mapping[str, Tool],
    selection: ToolSelection | None,
    *,
    elsewhere: Collection[str] = (),
) -> list[FieldViolation]:
    """Return what is wrong with a selection. `elsewhere` are names of tools that nested agents have."""
    if selection is None:
        return []
    violations = []
    known = {*own, *app, *elsewhere}
    named = {"only": selection.only or (), "add": selection.add, "deny": selection.deny}
    for kind, names in named.items():
        violations += [
            FieldViolation(f"options.tools.{kind}[{index}]", f"there is no tool {name[:100]!r}")
            for index, name in enumerate(names)
            if name not in known
        ]
    taken = select_tools(own, app, selection).tools
    seen: set[str] = set()
    for index, spec in enumerate(selection.client_tools):
        where = f"options.tools.client_tools[{index}].name"
        if spec.name in seen:
            violations.append(FieldViolation(where, f"two client tools are named {spec.name!r}"))
        elif spec.name in taken:
            violations.append(FieldViolation(where, f"the agent has a tool named {spec.name!r} already"))
        seen.add(spec.name)
    return violations
