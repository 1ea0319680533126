/** The driver over gRPC-Web: what a browser uses, through an Envoy of its own. */

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { drive, load } from "../typescript/driver.mjs";

const START_MS = 20_000;
const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const { grpcWebTransport } = await load("@runwire/client/web");

/** Starts an Envoy on a free port. Returns its URL. */
async function serve(folder) {
  const admin = join(folder, "admin");
  const options = ["--admin-address-path", admin, "--config-path", path("envoy.yaml"), "--log-level", "error"];
  const command = [path("launch.py"), "--concurrency", "1", "--disable-hot-restart", ...options];
  const envoy = spawn(path("../../../../.tools/envoy/bin/python"), command, { stdio: ["ignore", 2, 2] });
  process.on("exit", () => envoy.kill("SIGKILL"));
  envoy.on("exit", (code) => process.exit(code ?? 1));
  envoy.unref();
  for (const end = Date.now() + START_MS; Date.now() < end; await sleep(50)) {
    try {
      const listeners = await fetch(`http://${readFileSync(admin, "utf8")}/listeners?format=json`);
      const [listener] = (await listeners.json()).listener_statuses;
      return `http://127.0.0.1:${listener.local_address.socket_address.port_value}`;
    } catch {
      // It is not there yet.
    }
  }
  throw new Error(`Envoy was not there within ${START_MS} ms`);
}

const folder = mkdtempSync(join(tmpdir(), "runwire-envoy-"));
const baseUrl = await serve(folder).finally(() => rmSync(folder, { recursive: true }));
await drive((target) => {
  const routed = (next) => (request) => {
    request.header.set("x-target", target);
    return next(request);
  };
  return grpcWebTransport(baseUrl, { interceptors: [routed] });
});
process.exit(0);
