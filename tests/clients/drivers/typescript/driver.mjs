/** The driver of the TypeScript client, over any transport: see tests/clients/README.md. */

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const STEP_MS = 600_000;
const { resolve } = createRequire(new URL("../../../../clients/typescript/package.json", import.meta.url));

/** Imports the built package, by what it exports, or one that it needs. */
export const load = (name) => import(pathToFileURL(resolve(name)));

const { CallError, Client, Code, RunEndedError } = await load("@runwire/client");
const { fromBinary, toBinary } = await load("@bufbuild/protobuf");
const { MessageSchema } = await load("@runwire/client/v1/content_pb");
const { EventSchema } = await load("@runwire/client/v1/event_pb");
const { Outcome } = await load("@runwire/client/v1/run_pb");
const runner = await load("@runwire/client/v1/runner_service_pb");
const { GetSessionRequestSchema } = await load("@runwire/client/v1/session_service_pb");

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const encoded = (schema, message) => Buffer.from(toBinary(schema, message)).toString("base64");
const decoded = (schema, { request }) => fromBinary(schema, Buffer.from(request, "base64"));

/** What a reader yields as items. */
const readers = {
  async *events(run) {
    for await (const event of run.events()) yield { event: encoded(EventSchema, event) };
  },
  async *deltas(run) {
    for await (const piece of run.deltas()) yield { piece };
  },
  async *messages(run) {
    for await (const message of run.messages()) yield { message: encoded(MessageSchema, message) };
  },
  async *message_streams(run) {
    for await (const stream of run.messageStreams()) yield await read(stream);
  },
  async *message_streams_late(run) {
    const streams = [];
    for await (const stream of run.messageStreams()) streams.push(stream);
    for (const stream of streams) {
      await read(stream);
      yield await read(stream);
    }
  },
};

async function read(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  const message = encoded(MessageSchema, await stream.message());
  return { stream: { message_id: stream.messageId, pieces, message } };
}

async function readAll(run, command, cancelling) {
  const one = async (tag) => {
    let count = 0;
    for await (const item of readers[command.read](run)) {
      say({ ...item, ...tag });
      if (++count === command.cancel_after) cancelling.abort();
    }
  };
  if (command.read === "text") return { text: await run.text() };
  const tags = Array.from({ length: command.readers ?? 0 }, (_, reader) => ({ reader }));
  await Promise.all((command.readers ? tags : [{}]).map(one));
  return {};
}

const operations = {
  run(client, command, cancelling) {
    const { signal } = cancelling;
    const run = client.run(decoded(runner.RunRequestSchema, command), { signal, deadlineMs: command.deadline_ms });
    return readAll(run, command, cancelling);
  },
  attach(client, command, cancelling) {
    const run = client.attach(decoded(runner.AttachRequestSchema, command), { signal: cancelling.signal });
    return readAll(run, command, cancelling);
  },
  async chat(client, { user_id: userId, session_id: sessionId = "", messages }, { signal }) {
    const conversation = client.conversation({ userId, sessionId });
    const texts = [];
    for (const message of messages) texts.push(await conversation.chat(message, { signal }));
    return { texts, session_id: conversation.sessionId };
  },
  async subscribe(client, { user_id: userId, channels, messages }, { signal }) {
    const conversation = client.conversation({ userId });
    const events = conversation.subscribe(channels, { signal });
    for (const message of messages) await conversation.send(message, { signal });
    let left = messages.length;
    for await (const event of events) {
      say({ event: encoded(EventSchema, event) });
      if (event.payload.case === "completion" && --left === 0) break;
    }
    return {};
  },
  async cancel(client, command) {
    return { changed: (await client.runner.cancel(decoded(runner.CancelRequestSchema, command))).changed };
  },
  async get_session(client, command) {
    const { events } = await client.sessions.getSession(decoded(GetSessionRequestSchema, command));
    return { event_count: events.length };
  },
};

function failure(error, cancelling) {
  if (cancelling.signal.aborted && error === cancelling.signal.reason) return { kind: "cancelled" };
  if (error instanceof CallError) {
    const code = Code[error.code].replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase().replace("CANCELED", "CANCELLED");
    return { kind: "call", code, reason: error.reason, fields: error.violations.map(({ field }) => field) };
  }
  if (error instanceof RunEndedError) {
    const { outcome, stopReason } = error.completion;
    return { kind: "ended", outcome: Outcome[outcome] ?? String(outcome), stop_reason: stopReason };
  }
  return { kind: "bug", message: error?.stack ?? String(error) };
}

/** Does what comes in, until the end of the input. */
export async function drive(transportOf) {
  const clients = new Map();
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    const { target } = command;
    if (!clients.has(target)) clients.set(target, new Client(transportOf(target)));
    const cancelling = new AbortController();
    const late = setTimeout(() => cancelling.abort(new Error("the step took too long")), STEP_MS);
    try {
      const done = await operations[command.op](clients.get(target), command, cancelling);
      say({ done });
    } catch (error) {
      say({ done: { error: failure(error, cancelling) } });
    } finally {
      clearTimeout(late);
    }
  }
}
