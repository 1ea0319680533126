/** What events say of a run's messages. */
import { create } from "@bufbuild/protobuf";
import { type Message, MessageSchema, Role } from "./v1/content_pb.js";
import type { Event } from "./v1/event_pb.js";

/** A message of the assistant, or a tool's result, named by its call's id, has begun, goes on, or is whole. */
export interface Said {
  readonly id: string;
  readonly role: Role;
  readonly delta?: { readonly offset: bigint; readonly text: string };
  readonly whole?: Message;
}

/** What an event says of messages; usually of one or none. */
export function said({ payload: { case: kind, value } }: Event): Said[] {
  switch (kind) {
    case "textDelta":
      return [{ id: value.messageId, role: Role.ASSISTANT, delta: value }];
    case "reasoningDelta":
    case "toolCallDelta":
      return [{ id: value.messageId, role: Role.ASSISTANT }];
    case "toolOutputDelta":
      return [{ id: value.toolCallId, role: Role.TOOL, delta: value }];
    case "toolResults":
      return value.results.map(({ toolCallId, toolName, content }) => {
        const whole = create(MessageSchema, { role: Role.TOOL, content, toolCallId, toolName });
        return { id: toolCallId, role: Role.TOOL, whole };
      });
    case "message":
    case "completion": // It has the last message when that was not in the stream before, without a name.
      if (value.message?.role !== Role.ASSISTANT) return [];
      return [{ id: kind === "message" ? value.messageId : "", role: Role.ASSISTANT, whole: value.message }];
    default:
      return [];
  }
}

/** Makes a function that returns what is new in a text: it knows how many code points of each message were shown. */
export function showingOnce(): (news: Said) => string[] {
  const shown = new Map<string, number>();
  return ({ id, delta, whole }) => {
    const have = shown.get(id) ?? 0;
    const offset = Number(delta?.offset ?? 0);
    if (delta) shown.set(id, Math.max(have, offset + [...delta.text].length));
    if (whole) shown.delete(id);
    const text = whole?.content ?? delta?.text ?? "";
    const piece = have > offset ? [...text].slice(have - offset).join("") : text;
    return piece ? [piece] : [];
  };
}
