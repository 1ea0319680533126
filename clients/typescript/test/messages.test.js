import assert from "node:assert/strict";
import { test } from "node:test";

import { showingOnce } from "../dist/messages.js";
import { Role } from "../dist/v1/content_pb.js";

const delta = (offset, text) => ({ id: "m", role: Role.ASSISTANT, delta: { offset: BigInt(offset), text } });
const whole = (content) => ({ id: "m", role: Role.ASSISTANT, whole: { content } });
const shown = (...news) => news.flatMap(showingOnce());

test("offsets count code points, not halves of surrogate pairs", () => {
  assert.deepEqual(shown(delta(0, "🦊é"), delta(2, "x"), whole("🦊éxy")), ["🦊é", "x", "y"]);
});

test("what is known already is left out when a stream begins again", () => {
  const news = [delta(0, "a🦊"), delta(0, "a🦊b"), delta(3, "c"), delta(1, "🦊bc")];

  assert.deepEqual(shown(...news), ["a🦊", "b", "c"]);
});

test("what came between is shown when the message is whole", () => {
  assert.deepEqual(shown(delta(0, "ab"), whole("abcd")), ["ab", "cd"]);
  assert.deepEqual(shown(whole("")), []);
});
