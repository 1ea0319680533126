"""The tool calls of an answer, from deltas that each vendor numbers and names in its own way. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runwire_server.domain.content import clean_text
from runwire_server.domain.errors import ModelError
from runwire_server.domain.ids import new_id
from runwire_server.models.model import ToolCallChunk


@dataclass(slots=True)
class _Call:
    """One call. `vendor_id` and `vendor_index` are what the vendor's later deltas refer to."""

    id: str
    name: str
    vendor_id: str
    vendor_index: int | None
    arguments: list[str] = field(default_factory=list)
    is_announced: bool = False


class CallAssembler:
    """Gives every call one index, one id and one name, whatever the vendor sent.

    A new id is a new call, even with an index that is taken (Qwen, Ollama). Without an id, the index tells;
    without both, the delta continues the last call. Ids are unique in an answer: a missing or repeated one is
    replaced.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def __bool__(self) -> bool:
        return bool(self._calls)

    def take(self, delta: Mapping[str, Any]) -> tuple[list[ToolCallChunk], int]:
        """Return the chunks of a delta, and how many bytes it added to the answer.

        A call whose name has not come yet is held back, and with it all later ones, so that indexes appear in
        order.

        Raises: ModelError MODEL_BAD_RESPONSE for fields of a wrong type.
        """
        function = delta.get("function") or {}
        if not isinstance(function, Mapping):
            raise _bad("a tool call without a function")
        vendor_id = _text(delta.get("id"), "id")
        name = _text(function.get("name"), "name")
        arguments = _arguments(function.get("arguments"))
        index = delta.get("index")
        vendor_index = index if isinstance(index, int) else None
        call = self._find(vendor_id, vendor_index, name, arguments)
        size = utf8_length(arguments)
        if call is None:
            call = _Call(self._new_id(vendor_id), name, vendor_id, vendor_index)
            self._calls.append(call)
            # An empty call costs memory, too.
            size += len(vendor_id) + len(name) + 64
        else:
            call.name = call.name or name
            call.vendor_id = call.vendor_id or vendor_id
        if arguments:
            call.arguments.append(arguments)
        return self._chunks(call, arguments), size

    def finish(self) -> None:
        """Check the calls of a whole answer. Raises: ModelError MODEL_BAD_RESPONSE for one without a name."""
        if any(not call.name for call in self._calls):
            raise _bad("a tool call without a name")

    def _find(self, vendor_id: str, index: int | None, name: str, arguments: str) -> _Call | None:
        """Return the call that a delta continues; None for a new one."""
        if vendor_id:
            for known in reversed(self._calls):
                if known.vendor_id == vendor_id and (index is None or known.vendor_index in (index, None)):
                    return known
        call = next(
            (c for c in reversed(self._calls) if index is None or c.vendor_index in (index, None)), None
        )
        if call is None:
            return None
        if vendor_id:
            # An id that comes late belongs to a call that has none; a second name says that it is another
            # call.
            return call if not call.vendor_id and not (name and call.name) else None
        if name and call.name and (name != call.name or _begins_again(call, arguments)):
            return None
        return call

    def _new_id(self, vendor_id: str) -> str:
        if vendor_id and all(call.id != vendor_id for call in self._calls):
            return vendor_id
        return f"call_{new_id()}"

    def _chunks(self, changed: _Call, arguments: str) -> list[ToolCallChunk]:
        if changed.is_announced:
            return [ToolCallChunk(self._calls.index(changed), "", "", arguments)] if arguments else []
        chunks = []
        for index, call in enumerate(self._calls):
            if not call.is_announced:
                if not call.name:
                    break
                call.is_announced = True
                chunks.append(ToolCallChunk(index, call.id, call.name, "".join(call.arguments)))
        return chunks


def _begins_again(call: _Call, arguments: str) -> bool:
    """Whether arguments are those of another call of the same tool: the call's own are whole already.

    Gemini sends parallel calls whole, all with index 0 and no id; other servers repeat the name in every
    delta.
    """
    if not arguments.lstrip().startswith("{"):
        return False
    try:
        json.loads("".join(call.arguments))
    except (ValueError, RecursionError):
        return False
    return True


def _text(value: Any, what: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _bad(f"a tool call whose {what} is not text")
    return clean_text(value)


def _arguments(value: Any) -> str:
    """Return arguments as text; some servers send the parsed object."""
    if value is None:
        return ""
    return clean_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _bad(what: str) -> ModelError:
    return ModelError(f"the model server sent {what}", "MODEL_BAD_RESPONSE")


def utf8_length(text: str) -> int:
    """Return how many bytes a text has. Halves of a character count as if they stayed alone."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
