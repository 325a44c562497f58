import assert from "node:assert/strict";
import { test } from "node:test";
import { Founding } from "../../../test-mesh/fakes/founding.ts";
import { bring, startMember } from "../../../test-mesh/fakes/state-node.ts";
import type { State } from "../state.ts";

function shown(node: State): string[] {
  return node
    .view()
    .entries("site")
    .map(({ key }) => key);
}

async function write(node: State, name: string): Promise<void> {
  await node.write([
    { class: "site", key: `service/${name}`, value: { name, ports: [], addresses: [] } },
  ]);
}

test("another suspension shows nothing that the first one holds up", async () => {
  const founding = new Founding();
  const brest = founding.enrol("brest");
  const [author, node] = await Promise.all([
    startMember("brest", founding.statements),
    startMember("quimper", founding.statements),
  ]);
  await write(author, "before");
  await bring(author, node);
  const first = founding.suspend(brest);
  await node.addStatements(founding.statements);
  await write(author, "after");
  await bring(author, node);
  assert.deepEqual(shown(node), ["service/before"]);
  const logs = author.logHeads().map(({ log, seq, head }) => ({ log, seq, head }));
  const second = founding.suspend(brest, founding.operator, logs);
  await node.addStatements(founding.statements);
  assert.deepEqual(shown(node), ["service/before"]);
  founding.unsuspend([first]);
  await node.addStatements(founding.statements);
  assert.deepEqual(shown(node), ["service/after", "service/before"], "the second one names both");
  founding.unsuspend([second]);
  await node.addStatements(founding.statements);
  assert.equal(shown(node).length, 2);
});

test("another suspension hides nothing that the first one names", async () => {
  const founding = new Founding();
  const brest = founding.enrol("brest");
  const [author, node] = await Promise.all([
    startMember("brest", founding.statements),
    startMember("quimper", founding.statements),
  ]);
  await write(author, "named");
  const logs = author.logHeads().map(({ log, seq, head }) => ({ log, seq, head }));
  const first = founding.suspend(brest, founding.operator, logs);
  await node.addStatements(founding.statements);
  await bring(author, node);
  assert.deepEqual(shown(node), ["service/named"]);
  const second = founding.suspend(brest);
  await node.addStatements(founding.statements);
  assert.deepEqual(shown(node), ["service/named"], "what was accepted stays");
  await write(author, "later");
  await bring(author, node);
  founding.unsuspend([first]);
  await node.addStatements(founding.statements);
  assert.deepEqual(shown(node), ["service/named"]);
  founding.unsuspend([second]);
  await node.addStatements(founding.statements);
  assert.deepEqual(shown(node), ["service/later", "service/named"]);
});

test("a suspended site that takes a change back has taken it back when it goes on", async () => {
  const founding = new Founding();
  const brest = founding.enrol("brest");
  const author = await startMember("brest", founding.statements);
  const say = (name: string) => {
    const value = { name, ports: [], addresses: [] };
    return author.write([{ class: "site", key: "service/x", value }]);
  };
  await say("first");
  const suspension = founding.suspend(brest);
  await author.addStatements(founding.statements);
  await say("second");
  await say("first");
  founding.unsuspend([suspension]);
  await author.addStatements(founding.statements);
  const { value } = author.view().get("site", "service/x") ?? {};
  assert.deepEqual(value, { name: "first", ports: [], addresses: [] });
});
