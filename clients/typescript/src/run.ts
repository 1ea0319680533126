/** A run as its caller sees it: its events, its messages, its text, its end. */

import { RunEndedError } from "./errors.js";
import { follow, type Source } from "./following.js";
import { type Said, said, Shown } from "./messages.js";
import { type Message, Role } from "./v1/content_pb.js";
import type { Completion, Event } from "./v1/event_pb.js";
import { Outcome } from "./v1/run_pb.js";

/**
 * One run. Whoever reads it follows it by a stream of its own, from the first event or the one after which the run was
 * attached to, now or later, as often as one likes; the first reader starts it. All throw CallError, and the reason of
 * the caller's signal; those of messages throw RunEndedError at the end. Leaving a reader does not cancel the run; the
 * server does, some seconds after nobody follows it any more, unless it is detached.
 */
export class Run {
  /** Empty until the run was seen to begin. */
  sessionId = "";

  /** Made by Client. `onNews` hears that the server has the run, and that it begins; from each reader. */
  constructor(
    readonly requestId: string,
    private readonly source: Source,
    /** Asks the run to stop. Returns whether that changed anything. */
    readonly cancel: (reason?: string) => Promise<boolean>,
    private readonly onNews: (run: Run) => void = () => {},
  ) {}

  /** Each durable event once, in order. Deltas may come again from their message's beginning. */
  async *events(): AsyncGenerator<Event, void> {
    for await (const event of this.follow()) if (event) yield event;
  }

  /** The assistant's text, each piece once. */
  async *deltas(): AsyncGenerator<string, void> {
    const shown = new Shown();
    for await (const event of this.events()) {
      if (event.payload.case === "completion") return;
      for (const news of said(event)) {
        const piece = news.role === Role.ASSISTANT ? shown.fresh(news) : "";
        if (piece) yield piece;
      }
    }
  }

  /** The text of the last message, when the run has ended. */
  async text(): Promise<string> {
    let text = "";
    for await (const { payload } of this.toGoodEnd()) {
      const isLast = payload.case === "completion";
      const message = isLast || payload.case === "message" ? payload.value.message : undefined;
      if (message?.content && (isLast || message.role === Role.ASSISTANT)) text = message.content;
    }
    return text;
  }

  /** How the run ended. */
  async result(): Promise<Completion> {
    for await (const { payload } of this.events()) if (payload.case === "completion") return payload.value;
    throw new Error("the run was attached to behind its completion");
  }

  /** The assistant's messages and the tools' results, each when it is whole. */
  async *messages(): AsyncGenerator<Message, void> {
    for await (const event of this.toGoodEnd()) for (const { whole } of said(event)) if (whole) yield whole;
  }

  /** A stream for each of those messages, as soon as it begins. */
  async *messageStreams(): AsyncGenerator<MessageStream, void> {
    const known = new Set<string>();
    for await (const event of this.toGoodEnd()) {
      for (const news of said(event)) {
        if (known.size === known.add(`${news.role} ${news.id}`).size) continue;
        yield new MessageStream(news, event, () => this.toGoodEnd());
      }
    }
  }

  /** Resolves when the server has the run, though others of its session may be before it; or when it has begun. */
  async accepted(isBegun = false): Promise<void> {
    for await (const _ of this.follow()) if (this.sessionId || !isBegun) return;
  }

  private async *follow(): AsyncGenerator<Event | undefined, void> {
    for await (const event of follow(this.source)) {
      if (event?.payload.case === "runStarted") this.sessionId = event.payload.value.run?.session?.sessionId ?? "";
      if (!event || event.payload.case === "runStarted") this.onNews(this);
      yield event;
    }
  }

  private async *toGoodEnd(): AsyncGenerator<Event, void> {
    for await (const event of this.events()) {
      const end = event.payload.case === "completion" ? event.payload.value : undefined;
      if (end && end.outcome !== Outcome.COMPLETED) throw new RunEndedError(end);
      yield event;
    }
  }
}

/**
 * One message: iterate it for the pieces of its text, then ask for the whole; at once, later, again, any number at a
 * time. Until it was seen whole, each follows the run by itself, and throws what a reader of messages throws.
 */
export class MessageStream implements AsyncIterable<string> {
  /** A tool's result has the id of its call. */
  readonly messageId: string;
  readonly role: Role;
  private whole: Message | undefined;

  /** Made by Run. */
  constructor(begin: Said, private readonly first: Event, private readonly events: () => AsyncIterable<Event>) {
    ({ id: this.messageId, role: this.role, whole: this.whole } = begin);
  }

  /** The whole message. Throws when there will be none: another attempt at the run says it anew, by another name. */
  async message(): Promise<Message> {
    if (!this.whole) for await (const _ of this);
    if (!this.whole) throw new Error(`message ${this.messageId} was begun and never finished`);
    return this.whole;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void> {
    const known = this.whole;
    if (known?.content) yield known.content;
    if (known) return;
    const shown = new Shown();
    for await (const event of this.events()) {
      if (this.role === Role.ASSISTANT && 0 < this.first.attempt && this.first.attempt < event.attempt) return;
      for (const news of said(event)) {
        if (news.id !== this.messageId || news.role !== this.role) continue;
        const piece = shown.fresh(news);
        this.whole ??= news.whole;
        if (piece) yield piece;
        if (news.whole) return;
      }
    }
  }
}
