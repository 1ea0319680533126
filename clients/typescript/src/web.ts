/** gRPC-Web over fetch, for browsers: through a proxy that translates it, Envoy for example. */
import type { Transport } from "@connectrpc/connect";
import { createGrpcWebTransport, type GrpcWebTransportOptions } from "@connectrpc/connect-web";

/** To the proxy's URL. Takes Connect's options. */
export function grpcWebTransport(baseUrl: string, options: Partial<GrpcWebTransportOptions> = {}): Transport {
  return createGrpcWebTransport({ baseUrl, ...options });
}
