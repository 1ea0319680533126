/** Nothing here needs Node or a browser: the transports are in ./node and ./web. */
export { CallError } from "./calls.js";
export { type AttachInit, Client, type Conversation, type RunInit, type RunOptions } from "./client.js";
export { type MessageStream, type Run, RunEndedError } from "./run.js";
export { Code } from "@connectrpc/connect";
