import { deepEqual } from "node:assert/strict";
import { it } from "node:test";
import type { DecodedPacket } from "dns-packet";
import { decode, encode } from "dns-packet";
import { answerLines } from "./dns-text.ts";

it("what a foreign server says holds nothing that could fool a terminal", () => {
  const evil = "\u001b]0;owned\u0007\u009b2J";
  const bytes = encode({
    type: "response",
    id: 1,
    questions: [{ type: "TXT", name: "www.example" }],
    answers: [
      { type: "TXT", name: `${evil}.example`, ttl: 1, data: [evil] },
      { type: "CNAME", name: "www.example", ttl: 1, data: `${evil}.example` },
    ],
  });
  const lines = answerLines(decode(bytes) as DecodedPacket);
  deepEqual(
    lines.filter((line) => /[^\x20-\x7e]/.test(line)),
    [],
  );
});
