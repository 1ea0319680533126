/** The way in: runs, and the generated stubs for all that is not about following one. */

import { clone, create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Client as Stub, createClient, type Transport } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";

import { connection } from "./connection.js";
import { Conversation } from "./conversation.js";
import type { Source } from "./following.js";
import { Run } from "./run.js";
import { AgentService } from "./v1/agent_service_pb.js";
import { AttachRequestSchema, type RunRequest, RunRequestSchema, RunnerService } from "./v1/runner_service_pb.js";
import { SessionService } from "./v1/session_service_pb.js";

export type RunInit = MessageInitShape<typeof RunRequestSchema>;
export type AttachInit = MessageInitShape<typeof AttachRequestSchema>;

export interface ReadOptions {
  /** Its abort ends all reading of the run and waiting for it, at once. That does not cancel the run. */
  signal?: AbortSignal | undefined;
}

export interface RunOptions extends ReadOptions {
  /** The run ends TIMED_OUT when it has taken so long. */
  deadlineMs?: number | undefined;
  /** Hears that the server has the run, and that it has begun; from each reader. */
  onNews?: ((run: Run) => void) | undefined;
}

/** A client over any transport of Connect. `defaults` are for requests that do not say. */
export class Client {
  /** Generated stubs. They throw CallError, and have 30 s unless a call's timeoutMs says otherwise. */
  readonly agents: Stub<typeof AgentService>;
  readonly runner: Stub<typeof RunnerService>;
  readonly sessions: Stub<typeof SessionService>;
  private readonly transport: Transport;

  constructor(transport: Transport, private readonly defaults: { appName?: string; userId?: string } = {}) {
    this.transport = connection(transport);
    this.agents = createClient(AgentService, this.transport);
    this.runner = createClient(RunnerService, this.transport);
    this.sessions = createClient(SessionService, this.transport);
  }

  /** A run, which starts when it is first read. A string is what the user says. */
  run(request: string | RunInit, { signal, deadlineMs = 0, onNews }: RunOptions = {}): Run {
    const asked = runRequest(request);
    asked.userId ||= this.defaults.userId ?? "";
    // With an id of ours the call may be repeated.
    asked.requestId ||= uuid();
    return this.following(asked, 0n, signal, onNews, (s) =>
      this.transport.stream(RunnerService.method.run, s, deadlineMs, undefined, createAsyncIterable([asked])),
    );
  }

  /** A run that is there, live or finished. A string is its request id. */
  attach(request: string | AttachInit, { signal }: ReadOptions = {}): Run {
    const asked = create(AttachRequestSchema, typeof request === "string" ? { requestId: request } : request);
    return this.following(clone(AttachRequestSchema, asked), asked.afterSequence, signal);
  }

  /** Runs, waits, and returns the text of the answer. */
  chat(request: string | RunInit, options: RunOptions = {}): Promise<string> {
    return this.run(request, options).text();
  }

  /** Something that remembers its session. */
  conversation(about: { userId?: string; sessionId?: string; agentName?: string } = {}): Conversation {
    return new Conversation(this, about);
  }

  private following(
    asked: Pick<RunRequest, "appName" | "requestId" | "stream">,
    afterSequence: bigint,
    signal: AbortSignal | undefined,
    onNews?: (run: Run) => void,
    run?: Source["run"],
  ): Run {
    asked.appName ||= this.defaults.appName ?? "";
    const { appName, requestId, stream } = asked;
    const attach: Source["attach"] = (after, s) => {
      const input = create(AttachRequestSchema, { appName, requestId, afterSequence: after });
      if (stream) input.stream = stream;
      return this.transport.stream(RunnerService.method.attach, s, 0, undefined, createAsyncIterable([input]));
    };
    const cancel = async (reason = "") => (await this.runner.cancel({ appName, requestId, reason })).changed;
    return new Run(requestId, { run, attach, afterSequence, signal }, cancel, onNews);
  }
}

/** A copy to fill in. */
export function runRequest(request: string | RunInit): RunRequest {
  if (typeof request === "string") return create(RunRequestSchema, { message: { content: request } });
  return clone(RunRequestSchema, create(RunRequestSchema, request));
}

/** A random one. crypto.randomUUID is missing on pages that came by plain HTTP. */
function uuid(): string {
  const hex = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, "$1-$2-4$3-a$4-$5");
}
