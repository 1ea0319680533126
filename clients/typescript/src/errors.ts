/** What can go wrong with a call, and how a run can end other than well. */

import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";

import type { Completion } from "./v1/event_pb.js";
import { Outcome } from "./v1/run_pb.js";

/** A call was refused, or the server cannot be reached. `cause` is Connect's error, with all details and metadata. */
export class CallError extends Error {
  override readonly name = "CallError";
  /** Stable and in UPPER_SNAKE_CASE; empty when the server gave none. */
  readonly reason: string = "";
  /** What is wrong with which field; usually empty. */
  readonly violations: readonly { readonly field: string; readonly description: string }[] = [];

  constructor(readonly code: Code, message: string, override readonly cause?: ConnectError) {
    super(message);
    for (const detail of cause?.details ?? []) {
      if (!("type" in detail)) continue;
      if (detail.type === "google.rpc.ErrorInfo") this.reason = text(detail.value, 1);
      if (detail.type === "google.rpc.BadRequest") {
        this.violations = values(detail.value, 1).map((v) => ({ field: text(v, 1), description: text(v, 2) }));
      }
    }
  }

  /** Makes one of what a transport throws. */
  static from(error: unknown): CallError {
    if (error instanceof CallError) return error;
    const cause = ConnectError.from(error);
    // What a server says has a status. What Connect says here of sockets that are reset, messages that end too early,
    // and a fetch that fails, are other codes than gRPC has for a lost connection.
    const isLost = [Code.Aborted, Code.Canceled, Code.InvalidArgument, Code.Unknown].includes(cause.code);
    const code = isLost && !cause.metadata.has("grpc-status") ? Code.Unavailable : cause.code;
    return new CallError(code, cause.rawMessage, cause);
  }
}

/** A run ended other than COMPLETED; `completion` says how, and why. */
export class RunEndedError extends Error {
  override readonly name = "RunEndedError";

  constructor(readonly completion: Completion) {
    const { outcome, error, cancelReason, stopReason } = completion;
    super(`the run ended ${Outcome[outcome] ?? outcome}: ${error?.message || cancelReason || stopReason}`);
  }
}

/** What a message's field of that number holds. This is all that is needed of google.rpc, whose packages are large. */
function values(message: Uint8Array, number: number): Uint8Array[] {
  const found = [];
  for (const reader = new BinaryReader(message); reader.pos < reader.len; ) {
    const [field, type] = reader.tag();
    if (field === number && type === WireType.LengthDelimited) found.push(reader.bytes());
    else reader.skip(type, field);
  }
  return found;
}

function text(message: Uint8Array, number: number): string {
  return new TextDecoder().decode(values(message, number).at(-1));
}
