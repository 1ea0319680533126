/** gRPC over HTTP/2, for Node. */

import type { Interceptor, Transport } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

export interface GrpcOptions {
  /** For example for credentials. */
  interceptors?: Interceptor[];
  /** Of node:http2's connect: certificates, for example. */
  http2?: ConstructorParameters<typeof Http2SessionManager>[2];
}

/**
 * A transport to host:port without TLS, or to an https: URL. It connects when it is needed, and an idle connection does
 * not keep the process; `close` ends the connection and all that goes over it.
 */
export function grpcTransport(target = "127.0.0.1:50051", options: GrpcOptions = {}): Transport & { close(): void } {
  const baseUrl = target.includes("://") ? target : `http://${target}`;
  const keepalive = { pingIntervalMs: 60_000, pingTimeoutMs: 20_000 };
  const sessionManager = new Http2SessionManager(baseUrl, keepalive, options.http2);
  let isClosed = false;
  const closing: Interceptor = (next) => (request) => {
    if (isClosed) throw new ConnectError("the transport is closed", Code.FailedPrecondition);
    return next(request);
  };
  const interceptors = [closing, ...(options.interceptors ?? [])];
  const transport = createGrpcTransport({ baseUrl, sessionManager, interceptors });
  return {
    ...transport,
    close() {
      isClosed = true;
      sessionManager.abort();
    },
  };
}
