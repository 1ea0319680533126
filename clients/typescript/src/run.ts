/** A run as its caller sees it: its events, its messages, its text, its end. */
import type { Followed } from "./following.js";
import { type Said, said, showingOnce } from "./messages.js";
import { type Message, Role } from "./v1/content_pb.js";
import type { Completion, Event } from "./v1/event_pb.js";
import { Outcome } from "./v1/run_pb.js";

/** A run ended other than COMPLETED; `completion` says how, and why. */
export class RunEndedError extends Error {
  override readonly name = "RunEndedError";

  constructor(readonly completion: Completion) {
    const { outcome, error, cancelReason, stopReason } = completion;
    super(`the run ended ${Outcome[outcome] ?? outcome}: ${error?.message || cancelReason || stopReason}`);
  }
}

/**
 * Each reader follows the run by a stream of its own, now or later, as often as one likes; the first one starts it. All
 * throw CallError, and the reason of the caller's signal; those of text and messages RunEndedError, too, at the end.
 * Leaving one does not cancel the run; the server does, some seconds after the last one left, unless it is detached.
 */
export class Run {
  /** Empty until a reader saw the run begin. */
  sessionId = "";
  /** Hears from each reader that the server has the run, and that it begins. */
  onNews: (() => void) | undefined;

  /** Made by Client. */
  constructor(
    readonly requestId: string,
    /** Asks the run to stop. Returns whether that changed anything. */
    readonly cancel: (reason?: string) => Promise<boolean>,
    /** As `events`, but that undefined comes when the server has the run. */
    readonly followed: () => Followed,
  ) {}

  /** Each durable event once, in order. Deltas may come again from their message's beginning. */
  async *events(): AsyncGenerator<Event> {
    for await (const event of this.followed()) {
      if (event?.payload.case === "runStarted") this.sessionId = event.payload.value.run?.session?.sessionId ?? "";
      if (!event || event.payload.case === "runStarted") this.onNews?.();
      if (event) yield event;
    }
  }

  /** The assistant's text, each piece once. */
  async *deltas(): AsyncGenerator<string> {
    const show = showingOnce();
    for await (const event of this.events()) {
      for (const news of said(event)) if (news.role === Role.ASSISTANT && news.id) yield* show(news);
    }
  }

  /** The text of the last message, when the run has ended. */
  async text(): Promise<string> {
    let text = "";
    for await (const { payload: { case: kind, value } } of this.toGoodEnd()) {
      if (kind === "message" && value.message?.role === Role.ASSISTANT) text = value.message.content || text;
      if (kind === "completion") text = value.message?.content || text;
    }
    return text;
  }

  /** How the run ended. */
  async result(): Promise<Completion> {
    for await (const { payload } of this.events()) if (payload.case === "completion") return payload.value;
    throw new Error("the run was attached to behind its completion");
  }

  /** The assistant's messages and the tools' results, each when it is whole. */
  async *messages(): AsyncGenerator<Message> {
    for await (const event of this.toGoodEnd()) for (const { whole } of said(event)) if (whole) yield whole;
  }

  /** A stream for each of those messages, as soon as it begins. */
  async *messageStreams(): AsyncGenerator<MessageStream> {
    const begun = new Set<string>();
    for await (const event of this.toGoodEnd()) {
      for (const news of said(event)) {
        const isNew = begun.size < begun.add(`${news.role} ${news.id}`).size;
        if (isNew) yield new MessageStream(news, event.attempt, () => this.toGoodEnd());
      }
    }
  }

  private async *toGoodEnd(): AsyncGenerator<Event> {
    for await (const event of this.events()) {
      const end = event.payload.case === "completion" ? event.payload.value : undefined;
      if (end && end.outcome !== Outcome.COMPLETED) throw new RunEndedError(end);
      yield event;
    }
  }
}

/**
 * One message: iterate it for the pieces of its text, then ask for the whole; at once, later, again, many at a time.
 * Until it was seen whole, each reading follows the run by itself, and throws what the run's readers throw.
 */
export class MessageStream {
  /** A tool's result has the id of its call. */
  readonly messageId: string;
  readonly role: Role;
  private whole: Message | undefined;

  /** Made by Run. */
  constructor(begin: Said, private readonly attempt: number, private readonly events: () => AsyncIterable<Event>) {
    ({ id: this.messageId, role: this.role, whole: this.whole } = begin);
  }

  /** Throws when the message is never whole: another attempt at the run says it anew, in another message. */
  async message(): Promise<Message> {
    if (!this.whole) for await (const _ of this);
    if (!this.whole) throw new Error(`message ${this.messageId} was begun and never finished`);
    return this.whole;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    const { messageId, role, attempt, whole } = this;
    const show = showingOnce();
    if (whole) return yield* show({ id: messageId, role, whole });
    for await (const event of this.events()) {
      if (role === Role.ASSISTANT && 0 < attempt && attempt < event.attempt) return;
      for (const news of said(event)) {
        if (news.id !== messageId || news.role !== role) continue;
        this.whole ??= news.whole;
        yield* show(news);
        if (news.whole) return;
      }
    }
  }
}
