/** gRPC-Web over fetch, for browsers: through a proxy that translates it, Envoy for example. */

import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport, type GrpcWebTransportOptions } from "@connectrpc/connect-web";

// Browsers have no pings. A server that has nothing to say sends a heartbeat each 15 s, or at most 60 s if asked to.
const SILENCE_MAX_MS = 80_000;

/** Takes the options of Connect's own: `baseUrl`, `interceptors`, `fetch`, … A silent stream is a broken one. */
export function grpcWebTransport(options: GrpcWebTransportOptions): Transport {
  return createGrpcWebTransport({ ...options, interceptors: [listening, ...(options.interceptors ?? [])] });
}

const listening: Interceptor = (next) => async (request) => {
  if (!request.stream) return next(request);
  const response = await inTime(next(request));
  return response.stream ? { ...response, message: heard(response.message) } : response;
};

async function* heard<T>(messages: AsyncIterable<T>): AsyncGenerator<T, void> {
  for (const from = messages[Symbol.asyncIterator](); ; ) {
    const { done, value } = await inTime(from.next());
    if (done) return;
    yield value;
  }
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const silence = () => reject(new ConnectError("the server is silent", Code.Unavailable));
    timer = setTimeout(silence, SILENCE_MAX_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
