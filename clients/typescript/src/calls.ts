/** Calls: their errors, and what a client adds to any transport, which is a timeout and retries. */
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "./v1/error_details_pb.js";

const UNARY_TIMEOUT_MS = 30_000;
// What clients/service_config.json says: Connect has no retries of its own.
const BACKOFFS_MS = [100, 200, 400];
const REPEATABLE = ["UpdateSession", "RestoreSession", "UpdateState", "CreateSummary"];
// Connect's words, beside those with a cause, for sockets and streams that are reset, messages that end too early, and
// fetches that fail. To gRPC all that is UNAVAILABLE. What a server says comes with a status.
const LOST = [Code.Aborted, Code.Canceled, Code.InvalidArgument, Code.Unknown];

/** A call was refused, or the server cannot be reached. `cause` is Connect's error, with all details and metadata. */
export class CallError extends Error {
  override readonly name = "CallError";
  readonly code: Code;
  /** Stable and in UPPER_SNAKE_CASE; empty when the server gave none. */
  readonly reason: string;
  /** What is wrong with which field; usually empty. */
  readonly violations: readonly { readonly field: string; readonly description: string }[];
  override readonly cause: ConnectError;

  constructor(error: unknown) {
    const cause = ConnectError.from(error);
    super(cause.rawMessage);
    this.cause = cause;
    const isLost = !cause.metadata.has("grpc-status") && (cause.cause || LOST.includes(cause.code));
    this.code = isLost ? Code.Unavailable : cause.code;
    this.reason = cause.findDetails(ErrorInfoSchema)[0]?.reason ?? "";
    this.violations = cause.findDetails(BadRequestSchema).flatMap((bad) => bad.fieldViolations);
  }
}

/** A controller that is aborted with a signal. Whoever makes it aborts it: that lets the signal go. */
export function linked(signal?: AbortSignal): AbortController {
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  signal?.addEventListener("abort", abort, { signal: controller.signal });
  if (signal?.aborted) abort();
  return controller;
}

/** Waits. Throws the signal's reason as soon as that is aborted. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  const end = linked(signal);
  const timer = setTimeout(() => end.abort(), milliseconds);
  if (!end.signal.aborted) await new Promise((resolve) => end.signal.addEventListener("abort", resolve));
  clearTimeout(timer);
  signal?.throwIfAborted();
}

/** Unary calls are repeated if they may be. They throw CallError, or the reason of the caller's signal. */
export function connection(inner: Transport): Transport {
  return {
    stream: inner.stream.bind(inner),
    async unary(method, signal, timeoutMs = UNARY_TIMEOUT_MS, ...rest) {
      const isRepeatable = REPEATABLE.includes(method.name) || method.idempotency !== Idempotency.IDEMPOTENCY_UNKNOWN;
      const end = timeoutMs > 0 ? Date.now() + timeoutMs : Infinity;
      for (let attempt = 0; ; attempt++) {
        const backoffMs = BACKOFFS_MS[attempt];
        try {
          return await inner.unary(method, signal, end < Infinity ? Math.max(end - Date.now(), 1) : 0, ...rest);
        } catch (error) {
          signal?.throwIfAborted();
          const failure = new CallError(error);
          if (failure.code !== Code.Unavailable || !isRepeatable || !backoffMs) throw failure;
          await pause(Math.min(backoffMs * (0.8 + 0.4 * Math.random()), end - Date.now()), signal);
        }
      }
    },
  };
}
