/**
 * A mesh in which each kind of statement stands once or more, from keys that names stand for.
 */
import assert from "node:assert/strict";
import type { SetId } from "../../protocol/ids.ts";
import { readEnvelope } from "../../protocol/logs/envelope.ts";
import { encodeSignedHeader } from "../../protocol/logs/signed-header.ts";
import { FreeLog } from "../hostile/free-log.ts";
import { honest, rawUpdate, version } from "../hostile/yjs-attacks.ts";
import { Founding, testKey } from "./founding.ts";

const SITES = ["quimper", "brest", "rennes"] as const;

/** A mesh in which each kind of statement stands. */
export function everyKind(name: string): Founding {
  const [ann, bob, cyd] = ["ann", "bob", "cyd"].map(testKey);
  assert.ok(ann !== undefined && bob !== undefined && cyd !== undefined);
  const recovery = { keys: [testKey("paper")], threshold: 1 };
  const founding = new Founding(name, [ann, bob, cyd], undefined, recovery);
  const [quimper, brest, rennes] = SITES.map((site) => founding.enrol(site));
  assert.ok(quimper !== undefined && brest !== undefined && rennes !== undefined);
  const grant = founding.grant(quimper, "zone", "bzh.example");
  founding.grant(brest, "policy", null, bob);
  founding.own("coop");
  founding.delegate("coop", quimper);
  founding.delegate("coop", brest, "00112233445566778899aabbccddeeff" as SetId);
  founding.replaceOwner("coop", testKey("coop anew"), bob);
  const suspension = founding.suspend(brest, bob);
  founding.unsuspend([suspension], ann);
  founding.ungrant([grant]);
  const epoch = founding.epoch({ features: ["metrics"], rules: 1 });
  founding.vote(epoch, bob);
  for (const site of SITES) founding.ack(epoch, testKey(site));
  founding.leave(testKey("rennes"));
  founding.forkProof(...fork(founding));
  return founding;
}

function fork(founding: Founding): [Uint8Array, Uint8Array] {
  const log = new FreeLog(testKey("brest"), founding.meshId, "forked");
  log.snapshot();
  const { clientId: client, clock } = log;
  const other = rawUpdate({ client, clock, items: [{ value: version("other") }] });
  const entries = [log.sign({ bytes: other, clockAfter: 1 }), log.update(honest("k", "one"))];
  const [one, two] = entries.map(({ bytes }) => {
    const { headerBytes, signature } = readEnvelope(bytes);
    return encodeSignedHeader(headerBytes, signature);
  });
  assert.ok(one !== undefined && two !== undefined);
  return [one, two];
}
