import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";

import { Code, ConnectError } from "@connectrpc/connect";

import { CallError, connection } from "../dist/calls.js";
import { follow } from "../dist/following.js";
import { AgentService } from "../dist/v1/agent_service_pb.js";
import { RunnerService } from "../dist/v1/runner_service_pb.js";
import { SessionService } from "../dist/v1/session_service_pb.js";

const config = JSON.parse(readFileSync(new URL("../../service_config.json", import.meta.url), "utf8"));
const [{ name: names, retryPolicy }] = config.methodConfig;
const unavailable = (cause) => cause.code === Code.Unavailable && cause instanceof CallError;

test("the calls that service_config.json lists are repeated as often as it says, and no others", async () => {
  const unary = [AgentService, RunnerService, SessionService]
    .flatMap((service) => service.methods)
    .filter(({ methodKind }) => methodKind === "unary");
  const tried = await Promise.all(
    unary.map(async (method) => {
      let count = 0;
      const refusing = {
        stream: () => {},
        unary: () => Promise.reject(new ConnectError(`try ${++count}`, Code.Unavailable)),
      };
      await assert.rejects(connection(refusing).unary(method), unavailable);
      return [`${method.parent.typeName}/${method.name}`, count];
    }),
  );
  const listed = new Set(names.map(({ service, method }) => `${service}/${method}`));
  for (const [name, count] of tried) assert.equal(count, listed.has(name) ? retryPolicy.maxAttempts : 1, name);
  assert.equal(listed.size, names.length);
});

test("what a server says keeps its code, what a lost connection looks like is UNAVAILABLE", () => {
  const said = new ConnectError("busy", Code.Aborted, { "grpc-status": "10" });

  assert.equal(new CallError(said).code, Code.Aborted);
  assert.equal(new CallError(new ConnectError("reset", Code.Aborted)).code, Code.Unavailable);
  assert.equal(new CallError(new TypeError("fetch failed")).code, Code.Unavailable);
  assert.equal(new CallError(ConnectError.from(new Error("EPIPE"), Code.Internal)).code, Code.Unavailable);
  assert.equal(new CallError(new ConnectError("no such field", Code.Internal)).code, Code.Internal);
});

test("a server that was never reached is given up after three tries, and leaves nothing at the signal", async () => {
  const { signal } = new AbortController();
  const calls = [];
  const open = (call) => {
    calls.push(call);
    return Promise.reject(new ConnectError("refused", Code.Unavailable));
  };

  await assert.rejects(follow(open, open, 0n, signal).next(), unavailable);

  assert.equal(calls.length, 3);
  assert.ok(calls.every((call) => call.aborted));
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("an abort ends the wait before the next try, with its reason", async () => {
  const cancelling = new AbortController();
  const open = () => {
    setTimeout(() => cancelling.abort("enough"), 10);
    return Promise.reject(new ConnectError("refused", Code.Unavailable));
  };
  const begin = Date.now();

  await assert.rejects(follow(open, open, 0n, cancelling.signal).next(), (error) => error === "enough");

  assert.ok(Date.now() - begin < 90);
});

test("a server that is silent too long is a broken stream, a reader that takes its time is not", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const calls = [];
  const open = async (call) => {
    const aborted = new Promise((_, reject) => call.addEventListener("abort", () => reject(call.reason)));
    aborted.catch(() => {});
    async function* message() {
      yield { event: { sequence: BigInt(calls.push(call)), payload: { case: "message" } } };
      await aborted;
    }
    return { header: new Headers(), message: message() };
  };
  const later = async (milliseconds) => {
    mock.timers.tick(milliseconds);
    await new Promise(setImmediate);
  };

  const reader = follow(open, open, 0n);
  await reader.next();
  await later(100_000);
  const next = reader.next();
  await new Promise(setImmediate);
  assert.equal(calls[0].aborted, false);
  await later(80_000);
  assert.equal(calls[0].aborted, true);
  await later(5_000);
  assert.equal((await next).value.sequence, 2n);
  await reader.return();
  mock.timers.reset();
});
