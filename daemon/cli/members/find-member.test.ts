import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS } from "../../../protocol/statements/genesis.ts";
import { idOf, type OperatorId, type SiteId } from "../../../protocol/ids.ts";
import { OWN_CLASSES } from "../../../protocol/logs/record-class.ts";
import { signSiteRequest } from "../../../protocol/statements/site-statement.ts";
import { StatementChain } from "../../../protocol/statements/statement-chain.ts";
import { meshIdOf, signStatement } from "../../../protocol/statements/statement.ts";
import { testKey } from "../../../test-mesh/fakes/founding.ts";
import { findMember } from "./find-member.ts";
import { MeshKnowledge } from "./mesh-knowledge.ts";

/** A mesh whose first operator is called like its first site, as `pleach init` does it. */
function mesh(): MeshKnowledge {
  const operator = testKey("operator");
  const key = idOf<OperatorId>(operator.publicKey);
  const genesis = signStatement(
    {
      v: 1,
      kind: "GENESIS",
      name: "m",
      salt: new Uint8Array(16),
      operators: [{ key, name: "quimper" }],
      founders: [key],
      threshold: 1,
      recovery: { keys: [], threshold: 0 },
      limits: DEFAULT_LIMITS,
      rules: 1,
    },
    [operator],
  );
  const meshId = meshIdOf(genesis);
  const chain = new StatementChain(meshId, operator, { seq: 1, prev: meshId, lamport: 1 });
  const sites = ["quimper", "brest"].map((name) => {
    const domains = { building: "", power: "", uplink: "", country: "" };
    const site = idOf<SiteId>(testKey(name).publicKey);
    const facts = { mesh: meshId, key: site, name, org: name, place: "", domains };
    const request = signSiteRequest(testKey(name), facts);
    return chain.sign({ kind: "SITE", ...request, classes: [...OWN_CLASSES], release: null });
  });
  return new MeshKnowledge([genesis, ...sites]);
}

test("a name that only one has is enough, and so are 8 digits of a key", () => {
  const known = mesh();
  const brest = findMember(known, "brest", {});
  assert.deepEqual([brest.kind, brest.name], ["site", "brest"]);
  assert.equal(findMember(known, brest.key.slice(0, 8), {}).key, brest.key);
});

test("where a site and an operator have one name, the kind has to be said", () => {
  const known = mesh();
  assert.throws(() => findMember(known, "quimper", {}), { code: "E-USAGE" });
  assert.equal(findMember(known, "quimper", { site: true }).kind, "site");
  assert.equal(findMember(known, "quimper", { operator: true }).kind, "operator");
});

test("a stranger, too few digits and the wrong kind are nobody", () => {
  const known = mesh();
  const brest = findMember(known, "brest", {});
  for (const [text, options] of [
    ["lorient", {}],
    [brest.key.slice(0, 7), {}],
    ["brest", { operator: true }],
  ] as const) {
    assert.throws(() => findMember(known, text, options), { code: "E-UNKNOWN" });
  }
});
