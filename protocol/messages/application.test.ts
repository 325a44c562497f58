import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeApplication, openApplication, type ApplicationParts } from "./application.ts";
import { idOf, sha256, type MeshId, type OwnerId, type SiteId } from "../ids.ts";
import { deriveOwnerKeys } from "../keys/owner-keys.ts";
import { ownerClaimId, signOwnerClaim } from "../statements/owner-statement.ts";
import { signingKey } from "../keys/signature.ts";
import { signSiteRelease, signSiteRequest } from "../statements/site-statement.ts";
import { StatementChain } from "../statements/statement-chain.ts";

const MESH = idOf<MeshId>(sha256("mesh"));
const OTHER_MESH = idOf<MeshId>(sha256("other"));
const SITE_KEY = signingKey(sha256("site"));
const SITE = idOf<SiteId>(SITE_KEY.publicKey);
const OTHER_SITE = idOf<SiteId>(signingKey(sha256("elsewhere")).publicKey);
const OWNER = deriveOwnerKeys(sha256("owner"));

function request(mesh = MESH) {
  const domains = { building: "", power: "", uplink: "", country: "" };
  const words = { name: "brest", org: "", place: "", domains };
  return signSiteRequest(SITE_KEY, { mesh, key: SITE, ...words });
}

function claim(changes: { readonly seq?: number; readonly mesh?: MeshId } = {}) {
  return signOwnerClaim([OWNER.sign], {
    mesh: MESH,
    owner: OWNER.ownerId,
    sign: OWNER.ownerId,
    box: OWNER.box.publicKey,
    recovery: OWNER.recoveryKey,
    name: "brest",
    org: "",
    country: "",
    seq: 1,
    prev: MESH,
    ...changes,
  });
}

function delegate(changes: { readonly site?: SiteId; readonly owner?: OwnerId } = {}, seq = 2) {
  const head = { seq, prev: ownerClaimId(claim().claim), lamport: 5 };
  return new StatementChain(MESH, OWNER.sign, head).sign({
    kind: "DELEGATE",
    owner: OWNER.ownerId,
    set: null,
    site: SITE,
    lockDays: 30,
    lastList: null,
    lastHead: null,
    ...changes,
  });
}

function release(to: SiteId, mesh = MESH) {
  return signSiteRelease(OWNER.sign, { mesh, old: OTHER_SITE, new: to, heads: [] });
}

const FULL: ApplicationParts = {
  site: request(),
  owner: claim(),
  delegate: delegate(),
  release: release(SITE),
};

function opens(changes: Partial<ApplicationParts>): boolean {
  return openApplication(encodeApplication({ ...FULL, ...changes })) !== undefined;
}

test("opens what was encoded, with each part that can be left out", () => {
  const opened = openApplication(encodeApplication(FULL));
  assert.equal(opened?.request.name, "brest");
  assert.equal(opened?.claim?.owner, OWNER.ownerId);
  assert.equal(opened?.delegate?.site, SITE);
  assert.equal(opened?.release?.old, OTHER_SITE);
  assert.ok(opens({ owner: null, delegate: null, release: null }));
  assert.ok(opens({ owner: null }));
});

test("refuses parts that do not fit one another", () => {
  assert.equal(opens({ site: request(OTHER_MESH) }), false);
  assert.equal(opens({ owner: claim({ mesh: OTHER_MESH }) }), false);
  assert.equal(opens({ owner: claim({ seq: 2 }) }), false);
  assert.equal(opens({ delegate: null }), false, "a new owner without a word for its site");
  assert.equal(opens({ delegate: delegate({ site: OTHER_SITE }) }), false);
  assert.equal(opens({ delegate: delegate({}, 3) }), false);
  const stranger = deriveOwnerKeys(sha256("stranger")).ownerId;
  assert.equal(opens({ delegate: delegate({ owner: stranger }) }), false);
  assert.equal(opens({ release: release(OTHER_SITE) }), false);
  assert.equal(opens({ release: release(SITE, OTHER_MESH) }), false);
});

test("any changed byte is found", () => {
  const bytes = encodeApplication(FULL);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const wrong = Uint8Array.from(bytes);
      wrong[at] = (wrong[at] ?? 0) ^ flip;
      assert.equal(openApplication(wrong), undefined);
    }),
    { numRuns: 300 },
  );
});

test("no bytes make it throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.equal(openApplication(bytes), undefined);
    }),
  );
});
