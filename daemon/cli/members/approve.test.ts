import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeTime } from "../../../test-mesh/fakes/clock.ts";
import { JoinParty, type PartyNode } from "../../../test-mesh/join-party.ts";
import { parseJoinWords } from "../../../protocol/messages/join-words.ts";
import { readApplication } from "./approve.ts";

test("a daemon cannot put another application under the words that were heard", async () => {
  const time = new FakeTime();
  const party = new JoinParty(time);
  const quimper = await party.node("quimper");
  await quimper.found();
  const wordsOf = async (node: PartyNode): Promise<string> => {
    const { code } = await quimper.membership.invite(3_600_000);
    return parseJoinWords(await time.resolve(node.apply(code)));
  };
  const heard = await wordsOf(await party.node("brest"));
  const other = await wordsOf(await party.node("thief"));
  const right = quimper.membership.findApplication(heard);
  assert.equal(readApplication(right, heard).request.name, "brest");
  const theirs = quimper.membership.findApplication(other);
  for (const lie of [theirs, { ...right, application: theirs.application }]) {
    assert.throws(() => readApplication(lie, heard), { code: "E-APPLICATION" });
  }
});
