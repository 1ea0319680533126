/** gRPC over HTTP/2, for Node. */

import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport, type GrpcTransportOptions } from "@connectrpc/connect-node";

/** To host:port without TLS, or to an https: URL. Takes Connect's options. An idle connection keeps no process. */
export function grpcTransport(target: string, options: Partial<GrpcTransportOptions> = {}): Transport {
  const baseUrl = target.includes("://") ? target : `http://${target}`;
  return createGrpcTransport({ baseUrl, pingIntervalMs: 60_000, pingTimeoutMs: 20_000, ...options });
}
