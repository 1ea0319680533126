"""A model request as the JSON of a chat completion. Pure."""

import base64
import json
from typing import Any

from runwire_server.domain.content import Message, Part, Role, ToolSpec, clean_text
from runwire_server.models.model import ModelRequest, Sampling

_NO_PARAMETERS = {"type": "object", "properties": {}}


def request_body(name: str, request: ModelRequest, *, max_tokens_field: str = "max_tokens") -> dict[str, Any]:
    """Return the body of POST /chat/completions. What the request leaves open is not sent.

    `max_tokens_field` is there because OpenAI's newer models refuse `max_tokens`, and few other servers know
    `max_completion_tokens`.
    """
    body: dict[str, Any] = {
        "model": name,
        "messages": [_message(message) for message in request.messages],
        "stream": request.stream,
    }
    if request.stream:
        body["stream_options"] = {"include_usage": True}
    if request.tools:
        body["tools"] = [_tool(spec) for spec in request.tools]
        if not request.may_call_tools:
            body["tool_choice"] = "none"
    if request.output_schema:
        body["response_format"] = _response_format(request.output_schema)
    body.update(_sampling(request.sampling, max_tokens_field))
    return body


def _sampling(sampling: Sampling, max_tokens_field: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        max_tokens_field: sampling.max_tokens,
        "stop": [clean_text(text) for text in sampling.stop] or None,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "seed": sampling.seed,
        "reasoning_effort": sampling.reasoning_effort or None,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _response_format(schema: str) -> dict[str, Any]:
    """Return the wish for JSON that fits. Not strict: that takes only a part of what a JSON Schema can say."""
    return {
        "type": "json_schema",
        "json_schema": {"name": "output", "schema": json.loads(schema), "strict": False},
    }


def _tool(spec: ToolSpec) -> dict[str, Any]:
    function: dict[str, Any] = {"name": spec.name, "parameters": _parameters(spec)}
    if spec.description:
        function["description"] = clean_text(spec.description)
    return {"type": "function", "function": function}


def _parameters(spec: ToolSpec) -> dict[str, Any]:
    """Return the schema of a tool's arguments. Strict servers want it to say that they are an object."""
    return {"type": "object", **spec.parameters} if spec.parameters else _NO_PARAMETERS


def _message(message: Message) -> dict[str, Any]:
    if message.role is Role.USER:
        return {"role": "user", "content": _user_content(message)}
    content = _plain_text(message)
    if message.role is Role.TOOL:
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": content}
    shown: dict[str, Any] = {"role": message.role.value, "content": content}
    if message.tool_calls:
        # Reasoning is not sent back: most providers refuse it.
        shown["content"] = content or None
        shown["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": clean_text(call.arguments)},
            }
            for call in message.tool_calls
        ]
    return shown


def _user_content(message: Message) -> str | list[dict[str, Any]]:
    if not message.parts:
        return clean_text(message.content)
    sections = [_text_section(message.content)] if message.content else []
    for part in message.parts:
        url = _image_url(part)
        sections.append(
            {"type": "image_url", "image_url": {"url": url}} if url else _text_section(_part_text(part))
        )
    return sections


def _plain_text(message: Message) -> str:
    """Return a message's text with its parts: only a user's message may be more than text."""
    texts = [message.content] if message.content else []
    texts.extend(_part_text(part) for part in message.parts)
    return clean_text("\n".join(texts))


def _text_section(text: str) -> dict[str, Any]:
    return {"type": "text", "text": clean_text(text)}


def _image_url(part: Part) -> str:
    if not part.media_type.startswith("image/"):
        return ""
    if part.uri:
        return clean_text(part.uri)
    if part.inline_data is None:
        return ""
    return f"data:{part.media_type};base64,{base64.b64encode(part.inline_data).decode()}"


def _part_text(part: Part) -> str:
    """Return what the model reads of a part; for what it cannot read, a note that it is there."""
    if part.text is not None:
        return part.text
    if part.data is not None:
        return json.dumps(part.data, ensure_ascii=False, default=str)
    if part.inline_data is not None and part.media_type.startswith(("text/", "application/json")):
        return part.inline_data.decode("utf-8", "replace")
    what = " ".join(
        word for word in (part.filename, f"({part.media_type})" if part.media_type else "") if word
    )
    where = f" at {part.uri}" if part.uri else ""
    return f"[attachment{' ' + what if what else ''}{where}, which cannot be shown to the model]"
