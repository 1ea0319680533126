/** One reader's way through a run's events, over as many calls as it takes. */
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { CallError, linked, pause } from "./calls.js";
import type { Event } from "./v1/event_pb.js";

const BREAKS_MAX = 8; // One after the other and without an event.
const FIRST_BREAKS_MAX = 3; // A server that was never reached is more likely not there than gone for a moment.
const [DELAY_FIRST_MS, DELAY_MAX_MS] = [100, 5_000];
const BROKEN = [Code.Unavailable, Code.Internal, Code.Unknown, Code.Canceled];
// Browsers have no pings; a server that has nothing to say sends a heartbeat each 15 s, or each 60 s if asked to.
const SILENCE_MAX_MS = 80_000;
const SILENCE = new ConnectError("the server has nothing to say", Code.Unavailable);

export type Open = (signal: AbortSignal, afterSequence: bigint) => Promise<Answer>;
export type Followed = AsyncGenerator<Event | undefined>;
type Answer = { readonly header: Headers; readonly message: AsyncIterable<{ event?: Event }> };

/**
 * Yields a run's events to its completion, whatever the connection does; undefined means that the server has the run.
 * Leaving it cancels the call. Throws the signal's reason, or CallError: refused, or not to be reached for long.
 */
export async function* follow(start: Open, attach: Open, sequence: bigint, signal?: AbortSignal): Followed {
  let [breaks, isReached, hasNews] = [0, false, false];
  for (;;) {
    let failure = new CallError(SILENCE);
    let awayMs: number | undefined;
    const call = linked(signal);
    const listen = () => setTimeout(() => call.abort(SILENCE), SILENCE_MAX_MS);
    let timer = listen();
    try {
      const { header, message } = await (sequence === 0n ? start : attach)(call.signal, sequence);
      const isAccepted = header.has("x-request-id");
      isReached ||= isAccepted;
      if (isAccepted) yield undefined;
      for await (const { event } of message) {
        clearTimeout(timer);
        if (!event) continue;
        isReached = true;
        if (event.sequence > sequence) sequence = event.sequence;
        const { payload } = event;
        if (payload.case === "reconnect") {
          awayMs = payload.value.delay ? durationMs(payload.value.delay) : 0;
          break;
        }
        if (payload.case !== "caughtUp") [hasNews, breaks] = [true, 0];
        if (payload.case !== "caughtUp" && payload.case !== "heartbeat") yield event;
        if (payload.case === "completion") return;
        timer = listen();
      }
      // It was attached to behind its completion.
      if (!hasNews && awayMs === undefined) return;
    } catch (error) {
      signal?.throwIfAborted();
      failure = new CallError(error);
      if (!isBroken(failure, hasNews)) throw failure;
    } finally {
      clearTimeout(timer);
      call.abort();
    }
    if (++breaks >= (isReached ? BREAKS_MAX : FIRST_BREAKS_MAX)) throw failure;
    const delayMs = Math.min(DELAY_FIRST_MS * 2 ** breaks, DELAY_MAX_MS) * (0.5 + Math.random() / 2);
    await pause((awayMs ?? 0) + (awayMs !== undefined && breaks === 1 ? 0 : delayMs), signal);
  }
}

/** Whether the connection broke. A status with details is the server's own word, and final. */
function isBroken({ code, cause }: CallError, hasNews: boolean): boolean {
  if (code === Code.Unavailable) return true;
  if (cause.metadata.has("grpc-status-details-bin")) return false;
  // The caller's deadline took the stream; the run has ended by it, and its completion is in the log.
  return BROKEN.includes(code) || (code === Code.DeadlineExceeded && hasNews);
}
