/** The way in: runs, conversations, and the generated stubs for all the rest. */
import { clone, create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Client as Stub, createClient, type Transport } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { connection, linked } from "./calls.js";
import { follow, type Open } from "./following.js";
import { Run } from "./run.js";
import { AgentService } from "./v1/agent_service_pb.js";
import type { Event } from "./v1/event_pb.js";
import { RunOptionsSchema } from "./v1/run_pb.js";
import { AttachRequestSchema, Channel } from "./v1/runner_service_pb.js";
import { type RunRequest, RunRequestSchema, RunnerService } from "./v1/runner_service_pb.js";
import { SessionService } from "./v1/session_service_pb.js";

export type RunInit = MessageInitShape<typeof RunRequestSchema>;
export type AttachInit = MessageInitShape<typeof AttachRequestSchema>;
/** What a request says where it is empty. */
type Defaults = Partial<Pick<RunRequest, "appName" | "userId" | "sessionId" | "agentName" | "requestId">>;
type Asked = Pick<RunRequest, "appName" | "requestId" | "stream">;
type ChannelName = Lowercase<keyof typeof Channel>;

export interface RunOptions {
  signal?: AbortSignal; // Its abort ends all reading of the run and waiting for it, at once, but not the run.
  deadlineMs?: number; // The run ends TIMED_OUT when it takes longer.
}

/** A client over any transport of Connect. */
export class Client {
  /** Generated stubs. Their unary calls throw CallError, and take at most 30 s, unless timeoutMs says otherwise. */
  readonly agents: Stub<typeof AgentService>;
  readonly runner: Stub<typeof RunnerService>;
  readonly sessions: Stub<typeof SessionService>;

  constructor(private readonly transport: Transport, private readonly defaults: Omit<Defaults, "requestId"> = {}) {
    this.transport = connection(transport);
    this.agents = createClient(AgentService, this.transport);
    this.runner = createClient(RunnerService, this.transport);
    this.sessions = createClient(SessionService, this.transport);
  }

  /** A run, which starts when it is first read. A string is what the user says. */
  run(request: string | RunInit, { signal, deadlineMs = 0 }: RunOptions = {}): Run {
    // With an id of ours the call may be repeated: it joins the run that is there, and makes the one that is not.
    const asked = runRequest(request, { ...this.defaults, requestId: crypto.randomUUID() });
    return this.following(asked, 0n, signal, (s) =>
      this.transport.stream(RunnerService.method.run, s, deadlineMs, undefined, createAsyncIterable([asked])),
    );
  }

  /** A run that is there, live or finished. A string is its request id. */
  attach(request: string | AttachInit, { signal }: Pick<RunOptions, "signal"> = {}): Run {
    const asked = create(AttachRequestSchema, typeof request === "string" ? { requestId: request } : request);
    return this.following({ ...asked, appName: asked.appName || this.defaults.appName! }, asked.afterSequence, signal);
  }

  /** Runs, waits, and returns the text of the answer. */
  chat(request: string | RunInit, options: RunOptions = {}): Promise<string> {
    return this.run(request, options).text();
  }

  conversation(about: Omit<Defaults, "requestId"> = {}): Conversation {
    return new Conversation(this, about, about.sessionId ?? "");
  }

  private following({ appName, requestId, stream }: Asked, after: bigint, signal?: AbortSignal, run?: Open): Run {
    const attach: Open = (s, afterSequence) => {
      const input = createAsyncIterable([{ appName, requestId, afterSequence, stream }]);
      return this.transport.stream(RunnerService.method.attach, s, 0, undefined, input);
    };
    const cancel = async (reason = "") => (await this.runner.cancel({ appName, requestId, reason })).changed;
    return new Run(requestId, cancel, () => follow(run ?? attach, attach, after, signal));
  }
}

/** A session to talk in: ask and wait, or send now and listen elsewhere. */
export class Conversation {
  private sent: Promise<unknown> = Promise.resolve();
  private readonly subscribers = new Set<(requestId: string) => void>();

  /** Made by Client. The session's id is empty until the first run has begun, when the server makes it. */
  constructor(private readonly client: Client, private readonly about: Defaults, public sessionId: string) {}

  /** A run in this session. See Client. */
  run(request: string | RunInit, options: RunOptions = {}): Run {
    const run = this.client.run(runRequest(request, { ...this.about, sessionId: this.sessionId }), options);
    let isNew = true;
    run.onNews = () => {
      this.sessionId = run.sessionId || this.sessionId;
      if (isNew) for (const tell of this.subscribers) tell(run.requestId);
      isNew = false;
    };
    return run;
  }

  /** Runs, waits, and returns the text of the answer. */
  chat(request: string | RunInit, options: RunOptions = {}): Promise<string> {
    return this.run(request, options).text();
  }

  /** Starts a run that nobody need follow. Returns its request id when the server has it. */
  send(request: string | RunInit, options: RunOptions = {}): Promise<string> {
    const sent = this.sent.then(async () => {
      const asked = runRequest(request, {});
      (asked.options ??= create(RunOptionsSchema)).detachedCancel = true;
      const run = this.run(asked, options);
      for await (const _ of this.sessionId ? run.followed() : run.events()) break;
      run.onNews?.();
      return run.requestId;
    });
    // One after the other: the first may have to make the session that the next one is for.
    this.sent = sent.catch(() => {});
    return sent;
  }

  /** The events of all runs that begin through this object from now on, as they come; by channel, or all. */
  subscribe(channels: ChannelName[] = [], { signal }: Pick<RunOptions, "signal"> = {}): AsyncGenerator<Event> {
    signal?.throwIfAborted();
    const stream = { channels: channels.map((name) => Channel[name.toUpperCase() as keyof typeof Channel]) };
    const { readable, writable } = new TransformStream<Event, Event>();
    const [reader, writer, end] = [readable.getReader(), writable.getWriter(), linked(signal)];
    const follow = async (requestId: string) => {
      const run = this.client.attach({ requestId, stream }, { signal: end.signal });
      // A write ends when it is read: of each run one event waits.
      for await (const event of run.events()) await writer.write(event);
    };
    const tell = (requestId: string) => void follow(requestId).catch((error) => end.abort(error));
    this.subscribers.add(tell);
    end.signal.addEventListener("abort", () => {
      this.subscribers.delete(tell);
      writer.abort(end.signal.reason).catch(() => {});
    });
    return (async function* () {
      try {
        for (let next; !(next = await reader.read()).done; ) yield next.value;
      } finally {
        end.abort();
      }
    })();
  }
}

/** A copy, filled in. */
function runRequest(request: string | RunInit, defaults: Defaults): RunRequest {
  const init = typeof request === "string" ? { message: { content: request } } : request;
  const asked = clone(RunRequestSchema, create(RunRequestSchema, init));
  for (const [field, value] of Object.entries(defaults)) asked[field as keyof Defaults] ||= value;
  return asked;
}
