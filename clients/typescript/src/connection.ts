/** What a client adds to any transport: a timeout, retries, errors of one kind. */

import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { Code, type Transport } from "@connectrpc/connect";

import { CallError } from "./errors.js";

const UNARY_TIMEOUT_MS = 30_000;
// What clients/service_config.json says: Connect has no retries of its own.
const ATTEMPTS_MAX = 4;
const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 2_000;
const REPEATABLE = ["UpdateSession", "RestoreSession", "UpdateState", "CreateSummary"];

/** Whether a unary call may be made again: its proto says so, or the list does. */
export function isRepeatable({ idempotency, name }: DescMethod): boolean {
  return idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN || REPEATABLE.includes(name);
}

/** Waits. Rejects with the signal's reason as soon as that is aborted. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}

/**
 * Makes a transport whose unary calls take at most 30 s, unless they say otherwise, and are repeated when the server is
 * UNAVAILABLE, if they may be. All calls throw CallError, or the reason of the caller's own signal.
 */
export function connection(inner: Transport): Transport {
  const failure = (error: unknown, signal: AbortSignal | undefined) => {
    signal?.throwIfAborted();
    return CallError.from(error);
  };
  return {
    async unary(method, signal, timeoutMs = UNARY_TIMEOUT_MS, header, input, contextValues) {
      const end = timeoutMs > 0 ? Date.now() + timeoutMs : Infinity;
      for (let attempt = 1; ; attempt++) {
        const leftMs = end === Infinity ? 0 : Math.max(end - Date.now(), 1);
        try {
          return await inner.unary(method, signal, leftMs, header, input, contextValues);
        } catch (error) {
          const failed = failure(error, signal);
          if (failed.code !== Code.Unavailable || !isRepeatable(method) || attempt === ATTEMPTS_MAX) throw failed;
        }
        const backoffMs = Math.min(BACKOFF_FIRST_MS * 2 ** (attempt - 1), BACKOFF_MAX_MS);
        await pause(Math.min(backoffMs * (0.8 + 0.4 * Math.random()), end - Date.now()), signal);
      }
    },
    async stream(method, signal, ...rest) {
      async function* messages<T>(received: AsyncIterable<T>): AsyncGenerator<T, void> {
        try {
          yield* received;
        } catch (error) {
          throw failure(error, signal);
        }
      }
      try {
        const response = await inner.stream(method, signal, ...rest);
        return { ...response, message: messages(response.message) };
      } catch (error) {
        throw failure(error, signal);
      }
    },
  };
}
