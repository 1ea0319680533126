// Streams an answer. `make serve` runs a server. usage: node examples/stream.js [TEXT [HOST:PORT]]
import { Client, RunEndedError } from "@runwire/client";
import { grpcTransport } from "@runwire/client/node";

const [text = "What is 25*4? And write a slow report on tea", target = "127.0.0.1:50051"] = process.argv.slice(2);
const client = new Client(grpcTransport(target), { userId: "me" });

// Ctrl-C asks the run to stop, and reads on to its end.
const run = client.run(text);
process.once("SIGINT", () => run.cancel("Ctrl-C"));
try {
  for await (const stream of run.messageStreams()) {
    for await (const piece of stream) process.stdout.write(piece);
    const { toolName, toolCalls } = await stream.message();
    const calls = toolCalls.map((call) => `→ ${call.name}(${call.arguments})`);
    console.log(toolName ? ` (${toolName})` : calls.join("\n"));
  }
} catch (error) {
  if (!(error instanceof RunEndedError)) throw error;
  console.error(error.message);
}
