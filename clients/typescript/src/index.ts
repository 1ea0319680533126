/** Run LLM agents that a Runwire server serves. Nothing here needs Node: the transports are in ./node and ./web. */

export { type AttachInit, Client, type ReadOptions, type RunInit, type RunOptions } from "./client.js";
export type { Conversation } from "./conversation.js";
export { CallError, RunEndedError } from "./errors.js";
export type { MessageStream, Run } from "./run.js";
export { Code } from "@connectrpc/connect";
export * from "./v1/content_pb.js";
