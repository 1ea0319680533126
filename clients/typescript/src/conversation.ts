/** A session to talk in: ask and wait, or send now and listen elsewhere. */

import { create } from "@bufbuild/protobuf";

import { type Client, type ReadOptions, type RunInit, type RunOptions, runRequest } from "./client.js";
import type { Run } from "./run.js";
import type { Event } from "./v1/event_pb.js";
import { RunOptionsSchema } from "./v1/run_pb.js";
import { Channel } from "./v1/runner_service_pb.js";

/** Made by Client. */
export class Conversation {
  /** Empty until the first run has begun, when the server makes it. */
  sessionId: string;
  private sent: Promise<unknown> = Promise.resolve();
  private readonly subscriptions = new Set<Subscription>();

  constructor(private readonly client: Client, private readonly about: { userId?: string; sessionId?: string; agentName?: string }) {
    this.sessionId = about.sessionId ?? "";
  }

  /** A run in this session. */
  run(request: string | RunInit, options: RunOptions = {}): Run {
    const asked = runRequest(request);
    asked.userId ||= this.about.userId ?? "";
    asked.sessionId ||= this.sessionId;
    asked.agentName ||= this.about.agentName ?? "";
    let isNew = true;
    const onNews = (run: Run) => {
      this.sessionId = run.sessionId || this.sessionId;
      for (const subscription of isNew ? this.subscriptions : []) subscription.add(run.requestId);
      isNew = false;
      options.onNews?.(run);
    };
    return this.client.run(asked, { ...options, onNews });
  }

  /** Runs, waits, and returns the text of the answer. */
  chat(request: string | RunInit, options: RunOptions = {}): Promise<string> {
    return this.run(request, options).text();
  }

  /** Starts a run that nobody need follow. Returns its request id when the server has it. */
  send(request: string | RunInit, options: RunOptions = {}): Promise<string> {
    const send = async () => {
      const asked = runRequest(request);
      asked.options ??= create(RunOptionsSchema);
      asked.options.detachedCancel = true;
      const run = this.run(asked, options);
      await run.accepted(!this.sessionId);
      return run.requestId;
    };
    // One after the other: the first may have to make the session that the next one is for.
    const sent = this.sent.then(send);
    this.sent = sent.catch(() => {});
    return sent;
  }

  /**
   * The events of all runs that begin through this object from now on, as they come, until it is left or the signal is
   * aborted. No channels: all. The first and the last event of a run, errors and approvals always come.
   */
  subscribe(channels: readonly Lowercase<keyof typeof Channel>[] = [], options: ReadOptions = {}): AsyncGenerator<Event, void> {
    const stream = { channels: channels.map((name) => Channel[name.toUpperCase() as keyof typeof Channel]) };
    const attach = (requestId: string, signal: AbortSignal) => this.client.attach({ requestId, stream }, { signal }).events();
    const subscription = new Subscription(attach, () => this.subscriptions.delete(subscription));
    this.subscriptions.add(subscription);
    return subscription.events(options.signal);
  }
}

// Of whoever does not read its subscription, no more is remembered.
const UNREAD_RUNS_MAX = 1_000;

class Subscription {
  private readonly unread: string[] = [];
  private readonly leaving = new AbortController();
  private wake = () => {};

  constructor(
    private readonly attach: (requestId: string, signal: AbortSignal) => AsyncGenerator<Event, void>,
    private readonly onEnd: () => void,
  ) {}

  add(requestId: string): void {
    if (this.unread.push(requestId) > UNREAD_RUNS_MAX) this.end(new Error("the subscription was not read"));
    this.wake();
  }

  async *events(signal?: AbortSignal): AsyncGenerator<Event, void> {
    const abort = () => this.end(signal?.reason);
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
    try {
      yield* this.merged();
    } finally {
      signal?.removeEventListener("abort", abort);
      this.end();
    }
  }

  /** Of each run one event is asked for at a time. */
  private async *merged(): AsyncGenerator<Event, void> {
    const come: [AsyncGenerator<Event, void>, Promise<IteratorResult<Event, void>>][] = [];
    const ask = (run: AsyncGenerator<Event, void>) => {
      const next = run.next();
      const note = () => {
        come.push([run, next]);
        this.wake();
      };
      next.then(note, note);
    };
    for (;;) {
      this.leaving.signal.throwIfAborted();
      for (const requestId of this.unread.splice(0)) ask(this.attach(requestId, this.leaving.signal));
      const [run, next] = come.shift() ?? [];
      const { done, value } = (await next) ?? {};
      if (run && !done && value) {
        yield value;
        ask(run);
      } else if (!run) {
        await new Promise<void>((resolve) => (this.wake = resolve));
      }
    }
  }

  private end(reason?: unknown): void {
    this.onEnd();
    this.leaving.abort(reason);
    this.wake();
  }
}
