import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Doc, encodeStateAsUpdate } from "yjs";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { entriesOf, startMember, startState } from "../../test-mesh/fakes/state-node.ts";
import { FakeDisk } from "../../test-mesh/fakes/store.ts";
import {
  clientIdOf,
  decodeEnvelope,
  logIdOf,
  signEnvelope,
  type Envelope,
  type EnvelopeHeader,
} from "../../protocol/logs/envelope.ts";
import { idOf, sha256, type EnvelopeId, type SiteId } from "../../protocol/ids.ts";
import { packVersion } from "../../protocol/logs/record-version.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import { ROOT } from "../core/logs/admission.ts";
import { LogWriter } from "../core/logs/log-writer.ts";
import { markKey, quarantineKey } from "./keys.ts";
import type { State } from "./state.ts";

const mallory = testKey("mallory");
const malloryId = idOf<SiteId>(mallory.publicKey);

/** A mesh in which mallory is a member, and a node that holds what quimper wrote. */
async function attacked(): Promise<{
  founding: Founding;
  quimper: SiteId;
  entries: Uint8Array[];
  disk: FakeDisk;
  node: State;
}> {
  const founding = new Founding();
  const quimper = founding.enrol("quimper");
  founding.enrol("mallory", { key: mallory });
  founding.enrol("brest");
  const author = await startMember("quimper", founding.statements);
  await author.write([{ class: "site", key: "node", value: "honest" }]);
  await author.write([{ class: "site", key: "service/web", value: "honest too" }]);
  const entries = await entriesOf(author);
  const disk = new FakeDisk();
  const node = await startMember("brest", founding.statements, disk);
  for (const bytes of entries) await node.replica.receiveEnvelope(bytes, quimper);
  return { founding, quimper, entries, disk, node };
}

type Fields = Omit<EnvelopeHeader, "v" | "payloadBytes" | "payloadHash">;

/** A log of mallory's: its first entry, with whatever a test wants to be wrong in it. */
function forge(
  founding: Founding,
  payloadOf: (clientId: number) => { bytes: Uint8Array; clockAfter: number },
  wrong: Partial<Fields> = {},
  key: SigningKey = mallory,
): Envelope {
  const fields: Fields = {
    mesh: founding.meshId,
    class: "site",
    author: idOf<SiteId>(key.publicKey),
    part: 0,
    salt: sha256(JSON.stringify(wrong)).subarray(0, 16),
    seq: 1,
    prev: null,
    kind: "SNAP",
    prevSnap: null,
    started: wrong.kind === "UPD" ? 0 : 1,
    retires: [],
    floor: 0,
    past: 0,
    authority: founding.meshId,
    lamport: 1,
    clockBefore: 0,
    clockAfter: 0,
    wallMs: 0,
    ...wrong,
  };
  const { bytes, clockAfter } = payloadOf(clientIdOf(logIdOf(fields), fields.seq));
  return signEnvelope(key, { ...fields, clockAfter }, bytes);
}

function honest(value: string) {
  return (clientId: number) => {
    const doc = new Doc();
    doc.clientID = clientId;
    doc.getMap(ROOT).set("node", packVersion({ lamport: 1, supersedes: [], value }));
    return { bytes: encodeStateAsUpdate(doc), clockAfter: 1 };
  };
}

const nothing = () => ({ bytes: Uint8Array.of(0, 0), clockAfter: 0 });

test("no byte of one author changes a document of another", async () => {
  const { founding, quimper, entries, node } = await attacked();
  const victim = decodeEnvelope(entries[0] ?? new Uint8Array());
  const victimClient = clientIdOf(victim.log, 1);
  const before = JSON.stringify(node.view().entries("site"));
  const attacks: readonly [Envelope, string][] = [
    // Structs, and deletions, in the name of the victim's client.
    [forge(founding, () => honest("forged")(victimClient)), "E-STATE-CONTENT"],
    [
      forge(
        founding,
        () => {
          const varint = (value: bigint): number[] =>
            value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)];
          const bytes = [0, 1, ...varint(BigInt(victimClient)), 1, 0, ...varint(1n << 40n)];
          return { bytes: Uint8Array.from(bytes), clockAfter: 0 };
        },
        { part: 1 },
      ),
      "E-STATE-CONTENT",
    ],
    // The victim's salt makes another log under another author.
    [forge(founding, honest("forged"), { salt: victim.header.salt }), "accepted"],
    // Taking up the victim's log takes up nothing.
    [
      forge(founding, nothing, {
        part: 2,
        retires: [{ log: victim.log, seq: 1000, lamport: 1, started: 1 }],
      }),
      "accepted",
    ],
  ];
  for (const [envelope, expected] of attacks) {
    const reception = await node.replica.receiveEnvelope(envelope.bytes, malloryId);
    assert.equal(typeof reception === "string" ? reception : reception.refused, expected);
  }
  const after = node
    .view()
    .entries("site")
    .filter(({ author }) => author === quimper);
  assert.equal(JSON.stringify(after), before);
  // And the honest author goes on.
  const author = await startMember("quimper", founding.statements);
  for (const bytes of entries) await author.replica.receiveEnvelope(bytes, quimper);
  await author.write([{ class: "site", key: "node", value: "later" }]);
  for (const bytes of await entriesOf(author)) await node.replica.receiveEnvelope(bytes, quimper);
  assert.equal(node.view().get("site", "node", quimper)?.value, "later");
});

test("a payload of arbitrary bytes harms nobody, and the node goes on after a restart", async () => {
  const { founding, quimper, disk, node } = await attacked();
  const { hash } = node.view();
  let part = 0;
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.nat(50), async (bytes, clockAfter) => {
      const envelope = forge(founding, () => ({ bytes, clockAfter }), { part: part++ % 256 });
      const reception = await node.replica.receiveEnvelope(envelope.bytes, malloryId);
      assert.ok(reception === "accepted" || typeof reception === "object");
      assert.equal(node.view().hash, hash);
    }),
    { numRuns: 100 },
  );
  const again = await startState("brest", disk);
  assert.equal(again.view().hash, hash);
  assert.equal(again.view().get("site", "node", quimper)?.value, "honest");
});

test("of two updates at one place neither counts, and the log ends before them", async () => {
  const { founding, node } = await attacked();
  const salt = new Uint8Array(16).fill(9);
  const start = forge(founding, nothing, { salt });
  const writer = new LogWriter(start.log, 1, []);
  const update = (value: string, prev: Envelope): Envelope => {
    const { bytes, clockBefore, clockAfter } = writer.update([
      ["node", { lamport: 2, supersedes: [], value }],
    ]);
    const place = { seq: prev.header.seq + 1, prev: prev.id, lamport: 2 };
    const fields = {
      ...start.header,
      ...place,
      kind: "UPD" as const,
      started: 0,
      clockBefore,
      clockAfter,
    };
    return signEnvelope(mallory, fields, bytes);
  };
  const send = ({ bytes }: Envelope) => node.replica.receiveEnvelope(bytes, malloryId);
  const second = update("two", start);
  const third = update("three", second);
  const spoiled = signEnvelope(
    mallory,
    { ...third.header, clockAfter: third.header.clockAfter + 1 },
    third.payload,
  );
  assert.equal(await send(third), "waiting");
  assert.equal(await send(start), "accepted");
  assert.equal(await send(spoiled), "waiting");
  assert.deepEqual(await Promise.all([send(second), send(spoiled)]), [
    "accepted",
    { refused: "E-STATE-FORK" },
  ]);
  assert.equal(node.view().get("site", "node", malloryId)?.value, "two");
  assert.equal(node.authority().forkedLogs.get(start.log)?.lastSeq, 2);
  assert.deepEqual(await send(third), { refused: "E-STATE-FORK" });
});

test("an entry of another mesh is refused, by the same keys, too", async () => {
  const { node } = await attacked();
  const elsewhere = new Founding("elsewhere");
  const envelope = forge(elsewhere, honest("replayed"));
  const reception = await node.replica.receiveEnvelope(envelope.bytes, malloryId);
  assert.deepEqual(reception, { refused: "E-STATE-MESH" });
});

test("two entries at one place: the first that came stays, the other is refused", async () => {
  const { founding, node } = await attacked();
  const salt = new Uint8Array(16).fill(3);
  const one = forge(founding, honest("one"), { salt });
  const two = forge(founding, honest("two"), { salt });
  assert.equal(await node.replica.receiveEnvelope(one.bytes, malloryId), "accepted");
  assert.equal(await node.replica.receiveEnvelope(one.bytes, malloryId), "known");
  assert.deepEqual(await node.replica.receiveEnvelope(two.bytes, malloryId), {
    refused: "E-STATE-FORK",
  });
});

test("a site without a grant is kept and passed on, and shows once it has one", async () => {
  const { founding, node } = await attacked();
  const envelope = forge(founding, honest("early"), { class: "policy" });
  assert.equal(await node.replica.receiveEnvelope(envelope.bytes, malloryId), "parked");
  assert.deepEqual(node.view().entries("policy"), []);
  founding.grant(malloryId, "policy", null);
  await node.addStatements(founding.statements);
  assert.equal(node.view().get("policy", "node")?.value, "early");
});

test("a flood of entries without their predecessors stays in bounded memory", async () => {
  const { founding, node } = await attacked();
  const large = () => ({ bytes: new Uint8Array(60_000), clockAfter: 0 });
  const receptions = new Map<string, number>();
  for (let seq = 2; seq < 42; seq++) {
    const prev = idOf<EnvelopeId>(sha256(String(seq)));
    const fields = { kind: "UPD" as const, seq, prev, salt: new Uint8Array(16) };
    const envelope = forge(founding, large, fields);
    const reception = JSON.stringify(await node.replica.receiveEnvelope(envelope.bytes, malloryId));
    receptions.set(reception, (receptions.get(reception) ?? 0) + 1);
  }
  // One peer may fill a megabyte: 17 of these.
  assert.deepEqual(
    [...receptions],
    [
      ['"waiting"', 17],
      ['{"refused":"E-STATE-FULL"}', 23],
    ],
  );
});

test("an entry that killed the process three times is not tried again", async () => {
  const { founding, disk } = await attacked();
  const envelope = forge(founding, honest("poison"));
  for (let deaths = 1; deaths <= 3; deaths++) {
    // What a process that dies while it applies the entry leaves behind.
    const mark = { key: markKey(envelope.id), value: Uint8Array.of(deaths - 1) };
    await disk.open().write([{ kind: "put", ...mark }], "cached");
    const node = await startState("brest", disk);
    assert.equal(disk.content.has(mark.key), false);
    assert.equal(disk.content.has(quarantineKey(envelope.id)), deaths === 3);
    if (deaths < 3) continue;
    assert.deepEqual(await node.replica.receiveEnvelope(envelope.bytes, malloryId), {
      refused: "E-STATE-QUARANTINE",
    });
  }
});
