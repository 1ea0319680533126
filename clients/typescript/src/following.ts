/** One reader's way through a run's events, over as many calls as it takes. */

import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";

import { pause } from "./connection.js";
import { CallError } from "./errors.js";
import type { Event } from "./v1/event_pb.js";

// So many streams may break, one after the other and without an event, before the reader gives up.
const BREAKS_MAX = 8;
// A server that was never reached is more likely not there than gone for a moment.
const FIRST_BREAKS_MAX = 3;
const DELAY_FIRST_MS = 100;
const DELAY_MAX_MS = 5_000;
const BROKEN = [Code.Unavailable, Code.Internal, Code.Unknown, Code.Canceled];

/** How to get at a run's events: an answer of Run or of Attach. */
export interface Source {
  /** Absent where a run is only attached to. */
  readonly run?: (signal: AbortSignal) => Promise<EventStream>;
  readonly attach: (afterSequence: bigint, signal: AbortSignal) => Promise<EventStream>;
  readonly afterSequence: bigint;
  readonly signal: AbortSignal | undefined;
}

interface EventStream {
  readonly header: Headers;
  readonly message: AsyncIterable<{ readonly event?: Event }>;
}

/**
 * Yields a run's events to its completion, whatever the connection does; undefined means that the server has the run.
 * Leaving it cancels the call. Throws the signal's reason, or CallError: refused, or not to be reached for long.
 */
export async function* follow({ run, attach, afterSequence, signal }: Source): AsyncGenerator<Event | undefined, void> {
  let [sequence, breaks, isReached, hasNews] = [afterSequence, 0, false, false];
  for (;;) {
    let awayMs: number | undefined;
    let failure = new CallError(Code.Unavailable, "the server ends streams without an event");
    const call = new AbortController();
    const abort = () => call.abort(signal?.reason);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", abort);
    try {
      // Run may be repeated: it joins the run that is there, and makes the one that is not.
      const stream = await (run && sequence === 0n ? run(call.signal) : attach(sequence, call.signal));
      if (stream.header.has("x-request-id")) {
        isReached = true;
        yield undefined;
      }
      for await (const { event } of stream.message) {
        if (!event) continue;
        isReached = true;
        if (event.sequence > sequence) sequence = event.sequence;
        const { payload } = event;
        if (payload.case === "reconnect") {
          awayMs = payload.value.delay ? durationMs(payload.value.delay) : 0;
          break;
        }
        if (payload.case === "caughtUp") continue;
        [hasNews, breaks] = [true, 0];
        if (payload.case !== "heartbeat") yield event;
        if (payload.case === "completion") return;
      }
      // It was attached to behind its completion.
      if (!hasNews && awayMs === undefined) return;
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof CallError) || !isBroken(error, hasNews)) throw error;
      failure = error;
    } finally {
      signal?.removeEventListener("abort", abort);
      call.abort();
    }
    breaks++;
    if (breaks >= (isReached ? BREAKS_MAX : FIRST_BREAKS_MAX)) throw failure;
    await pause(awayMs !== undefined && breaks === 1 ? awayMs : (awayMs ?? 0) + delayMs(breaks), signal);
  }
}

/** How long to wait after so many breaks: exponential, with jitter. */
export function delayMs(breaks: number): number {
  return Math.min(DELAY_FIRST_MS * 2 ** breaks, DELAY_MAX_MS) * (0.5 + Math.random() / 2);
}

/** Whether the connection broke. A status with details is the server's own word, and final. */
function isBroken({ code, cause }: CallError, hasNews: boolean): boolean {
  if (code === Code.Unavailable) return true;
  if (cause?.metadata.has("grpc-status-details-bin")) return false;
  // The caller's deadline took the stream; the run has ended by it, and its completion is in the log.
  return BROKEN.includes(code) || (code === Code.DeadlineExceeded && hasNews);
}
