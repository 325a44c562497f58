import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, type MeshId, type SiteId } from "../../../protocol/ids.ts";
import type { LogHead } from "../../../protocol/logs/log-head.ts";
import { signSiteRelease } from "../../../protocol/statements/site-statement.ts";
import type { SigningKey } from "../../../protocol/keys/signature.ts";
import type { SignedStatement } from "../../../protocol/statements/statement.ts";
import { Founding, testKey } from "../../../test-mesh/fakes/founding.ts";
import { authorize } from "./authorize.ts";
import { endingProof } from "./ending-proof.ts";
import { StatementSet } from "./statement-set.ts";

const [ANNE, BOB, DORA] = ["anne", "bob", "dora"].map((name) => testKey(name)) as [
  SigningKey,
  SigningKey,
  SigningKey,
];

/** What a site sees that knows `before` and is told `proof`, one after the other. */
function seenBy(before: readonly SignedStatement[], proof: readonly SignedStatement[]) {
  const set = new StatementSet();
  for (const statement of [...before, ...proof]) {
    const { kind } = set.add(statement);
    assert.ok(kind === "accepted" || kind === "known", kind);
  }
  return authorize(set.all());
}

test("a site sees that it was revoked, whatever was decided since it listened", () => {
  const founding = new Founding("m", [ANNE, BOB]);
  const site = founding.enrol("vannes", { by: ANNE });
  const before = [...founding.statements];
  founding.vote(founding.epoch({ by: ANNE, operators: [BOB, DORA] }), BOB);
  founding.enrol("brest", { by: DORA });
  founding.vote(founding.epoch({ by: DORA, revokes: [{ site, logs: [] }] }), BOB);
  founding.enrol("lorient", { by: BOB });
  const proof = endingProof(founding.statements, site);
  assert.equal(seenBy(before, proof).endedSites.get(site)?.ended.kind, "revoked");
  assert.equal(proof.length, founding.statements.length - 1, "not what was signed later");
  const shuffled = founding.statements.toReversed();
  assert.deepEqual(endingProof(shuffled, site), proof);
});

test("a contest that acknowledgements have settled is told with them", () => {
  const founding = new Founding("m", [ANNE]);
  const site = founding.enrol("vannes", { by: ANNE });
  founding.enrol("brest", { by: ANNE });
  founding.enrol("quimper", { by: ANNE });
  const before = [...founding.statements];
  const other = founding.fork();
  const lost = other.epoch({ by: ANNE, operators: [ANNE, BOB], threshold: 1 });
  const won = founding.epoch({ by: ANNE, operators: [ANNE, DORA], threshold: 1 });
  founding.ack(won, testKey("brest"));
  founding.ack(won, testKey("quimper"));
  const last = founding.epoch({ by: DORA, parents: [won], revokes: [{ site, logs: [] }] });
  const fork = other.statements.find(({ id }) => id === lost);
  assert.ok(fork !== undefined);
  const all = [...founding.statements, fork];
  const seen = seenBy(before, endingProof(all, site));
  assert.deepEqual(seen.epoch.ids, [last]);
  assert.equal(seen.endedSites.get(site)?.ended.kind, "revoked");
});

test("a box that was put back to an older image sees that it was replaced, or has left", () => {
  const founding = new Founding("m", [ANNE]);
  const old = founding.enrol("vannes", { by: ANNE });
  const gone = founding.enrol("brest", { by: ANNE });
  const before = [...founding.statements];
  const release = signSiteRelease(testKey("vannes"), { ...releaseOf(founding.meshId, old) });
  founding.enrol("vannes", { key: testKey("vannes again"), by: ANNE, release });
  founding.leave(testKey("brest"));
  for (const [site, kind] of [
    [old, "replaced"],
    [gone, "left"],
  ] as const) {
    const seen = seenBy(before, endingProof(founding.statements, site));
    assert.equal(seen.endedSites.get(site)?.ended.kind, kind);
  }
});

function releaseOf(mesh: MeshId, old: SiteId) {
  const heads: LogHead[] = [];
  return { mesh, old, new: idOf<SiteId>(testKey("vannes again").publicKey), heads };
}
