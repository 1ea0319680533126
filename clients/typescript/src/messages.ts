/** What events say of a run's messages. */

import { create } from "@bufbuild/protobuf";

import { type Message, MessageSchema, Role } from "./v1/content_pb.js";
import type { Event } from "./v1/event_pb.js";

/** An event's word on a message of the assistant or of a tool: it has begun, it goes on by a piece, or it is whole. */
export interface Said {
  /** Of a tool's result: its call's id. Empty: a last message without a name. */
  readonly id: string;
  readonly role: Role;
  /** Where the piece begins in the text, in code points. */
  readonly offset?: bigint;
  readonly text?: string;
  readonly whole?: Message;
}

export function said({ payload }: Event): Said[] {
  const { case: kind, value } = payload;
  switch (kind) {
    case "textDelta":
      return [{ id: value.messageId, role: Role.ASSISTANT, offset: value.offset, text: value.text }];
    case "reasoningDelta":
    case "toolCallDelta":
      return [{ id: value.messageId, role: Role.ASSISTANT }];
    case "toolOutputDelta":
      return [{ id: value.toolCallId, role: Role.TOOL, offset: value.offset, text: value.text }];
    case "toolResults":
      return value.results.map(({ toolCallId, toolName, content }) => {
        const whole = create(MessageSchema, { role: Role.TOOL, content, toolCallId, toolName });
        return { id: toolCallId, role: Role.TOOL, whole };
      });
    case "message":
      return isAnswer(value.message) ? [{ id: value.messageId, role: value.message.role, whole: value.message }] : [];
    case "completion":
      return value.message?.role === Role.ASSISTANT ? [{ id: "", role: Role.ASSISTANT, whole: value.message }] : [];
    default:
      return [];
  }
}

/** Not said by those who are answered. */
function isAnswer(message: Message | undefined): message is Message {
  return message !== undefined && message.role !== Role.USER && message.role !== Role.SYSTEM;
}

/** Shows each piece of a text once: it knows how far each message was shown, in code points. */
export class Shown {
  readonly #lengths = new Map<string, number>();

  /** Returns what is new in it. */
  fresh({ id, offset = 0n, text = "", whole }: Said): string {
    const have = this.#lengths.get(id) ?? 0;
    if (whole) this.#lengths.delete(id);
    else if (text) this.#lengths.set(id, Math.max(have, Number(offset) + countCodePoints(text)));
    return afterCodePoints(whole?.content ?? text, have - Number(offset));
  }
}

/** A string's length counts halves of a surrogate pair. */
export function countCodePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

export function afterCodePoints(text: string, count: number): string {
  let at = 0;
  for (; count > 0 && at < text.length; count--) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  return text.slice(at);
}
