import assert from "node:assert/strict";
import { test } from "node:test";
import { forwardArea, type ForwardFacts } from "./status-forward.ts";

const well = { upstream: "192.168.1.1:53", reached: true, reason: null, lostMs: null, asked: 9 };
const gone = {
  ...{ upstream: "tls://9.9.9.9:853#dns.quad9.net", reached: false, asked: 3 },
  ...{ reason: "no answer in time", lostMs: 7_230_000 },
};

function look(upstreams: ForwardFacts["upstreams"]) {
  return forwardArea({ questions: 10, cached: 4, upstreams })[0];
}

test("nothing is said where nothing is forwarded", () => {
  assert.deepEqual(forwardArea(undefined), []);
  assert.equal(look([{ ...well, asked: 0 }])?.area.state, "NONE");
});

test("one upstream that answers is enough", () => {
  const text =
    "1 of 2 upstreams reached; 10 questions, 40 % from memory; tls://9.9.9.9:853#dns.quad9.net not reached for 2 h (no answer in time)";
  assert.deepEqual(look([well, gone])?.area, { name: "Forwarding", state: "OK", text });
});

test("none is for a person", () => {
  const found = look([gone]);
  assert.equal(found?.area.state, "WARNING");
  assert.equal(found?.todo[0]?.command, "pleach dns upstreams");
});
