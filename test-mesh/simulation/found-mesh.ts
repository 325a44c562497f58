/**
 * The first statements of a simulated mesh: who operates it, and which sites it starts with.
 */
import { OWN_CLASSES } from "../../protocol/logs/record-class.ts";
import { idOf, type MeshId, type PeerKey, type SiteId } from "../../protocol/ids.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import { signSiteRequest } from "../../protocol/statements/site-statement.ts";
import { StatementChain } from "../../protocol/statements/statement-chain.ts";
import {
  meshIdOf,
  signStatement,
  type SignedStatement,
} from "../../protocol/statements/statement.ts";
import type { Content, Operator } from "./operator.ts";

/** Low, so that a flooding signer reaches them within one run. */
export const STATEMENT_LIMITS = { operatorStatements: 60, ownerStatements: 20 } as const;
/** All sites may write it, so their records meet. */
export const SHARED_ZONE = "hedge.example";

/** The one alias of a host of it. */
export function sharedKey(host: string): string {
  return `${SHARED_ZONE}/${host}/CNAME/only`;
}

export interface FoundingParts {
  readonly name: string;
  /** The first founds the mesh and enrols the sites. More than half of them make an epoch. */
  readonly operators: readonly Operator[];
  /** All of them are needed for an epoch without operators. */
  readonly recovery: readonly Operator[];
  readonly sites: readonly { readonly name: string; readonly key: SigningKey }[];
}

export interface Founded {
  readonly mesh: MeshId;
  readonly statements: readonly SignedStatement[];
}

export function foundMesh({ name, operators, recovery, sites }: FoundingParts): Founded {
  const [founder] = operators;
  if (founder === undefined) throw new RangeError("a mesh has a founder");
  const genesis = signStatement(
    {
      v: 1,
      kind: "GENESIS",
      name: "simulated",
      salt: Buffer.from(name.padEnd(16, "-").slice(0, 16)),
      operators: operators.map(({ id, name: called }) => ({ key: id, name: called })),
      founders: [founder.id],
      threshold: Math.floor(operators.length / 2) + 1,
      recovery: {
        keys: recovery.map(({ key }) => idOf<PeerKey>(key.publicKey)),
        threshold: recovery.length,
      },
      limits: STATEMENT_LIMITS,
      rules: 1,
    },
    [founder.key],
  );
  const mesh = meshIdOf(genesis);
  const chain = new StatementChain(mesh, founder.key, { seq: 1, prev: mesh, lamport: 1 });
  const statements = [genesis];
  for (const site of sites) {
    const id = idOf<SiteId>(site.key.publicKey);
    statements.push(
      chain.sign(enrolment(mesh, site.name, site.key)),
      chain.sign({ kind: "GRANT", site: id, class: "zone", selector: SHARED_ZONE }),
    );
  }
  return { mesh, statements };
}

/** What an operator signs to enrol a site. */
export function enrolment(mesh: MeshId, name: string, key: SigningKey): Content {
  const request = signSiteRequest(key, {
    mesh,
    key: idOf<SiteId>(key.publicKey),
    name,
    org: `org ${name}`,
    place: "somewhere",
    domains: { building: name, power: name, uplink: name, country: "FR" },
  });
  return { kind: "SITE", ...request, classes: [...OWN_CLASSES], release: null };
}
