/** The driver over gRPC. */

import { drive, load } from "./driver.mjs";

const { grpcTransport } = await load("@runwire/client/node");
await drive((target) => grpcTransport(target));
