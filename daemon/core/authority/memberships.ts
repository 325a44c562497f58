/**
 * Which sites are members, and at which ends the logs of former ones stop to count.
 */
import { toHex, type OperatorId, type SiteId, type StatementId } from "../../../protocol/ids.ts";
import {
  openSiteRelease,
  openSiteRequest,
  type SiteBody,
} from "../../../protocol/statements/site-statement.ts";
import type { EndedSite, Site } from "./authority.ts";
import type { Decision, Decisions, OperatorRights } from "./decisions.ts";
import type { SoundEpoch } from "./epochs.ts";
import { headMap, lowest } from "../logs/log-ends.ts";
import type { Owners } from "./owners.ts";

/** Which of several ends of a site is told. */
const GRAVITY = { left: 0, replaced: 1, revoked: 2 } as const;

export class Memberships {
  readonly sites = new Map<SiteId, Site>();
  readonly endedSites = new Map<SiteId, EndedSite>();
  readonly #owners: Owners;

  constructor(
    decisions: Decisions,
    rights: OperatorRights,
    owners: Owners,
    tips: readonly SoundEpoch[],
    idle: Map<StatementId, string>,
  ) {
    this.#owners = owners;
    for (const enrolment of decisions.of("SITE")) {
      const objection = rights.objection(enrolment.id, enrolment.body.by) ?? this.#enrol(enrolment);
      if (objection !== undefined) idle.set(enrolment.id, objection);
    }
    for (const { id, body } of decisions.of("LEAVE")) {
      const known = this.#end(body.by, { kind: "left" }, headMap(body.heads));
      if (!known) idle.set(id, "the site is not enrolled");
    }
    for (const { revoked } of tips) {
      for (const [site, cuts] of revoked) {
        for (const { epoch, logs } of cuts)
          this.#end(site, { kind: "revoked", epoch }, headMap(logs));
      }
    }
    this.#nameMembers();
  }

  /** Of several members with one name the one that was enrolled first has it. */
  #nameMembers(): void {
    const taken = new Set<string>();
    for (const [siteId, site] of this.sites) {
      const { name } = site;
      if (taken.has(name)) {
        this.sites.set(siteId, { ...site, name: `${name.slice(0, 54)}-${siteId.slice(0, 8)}` });
      }
      taken.add(name);
    }
  }

  /** @returns Whether the site is or was a member. */
  #end(siteId: SiteId, ended: EndedSite["ended"], heads: EndedSite["heads"]): boolean {
    const before = this.endedSites.get(siteId);
    const site = this.sites.get(siteId) ?? before;
    if (site === undefined) return false;
    this.sites.delete(siteId);
    const all = before === undefined ? heads : lowest(before.heads, heads);
    const graver = before !== undefined && GRAVITY[before.ended.kind] >= GRAVITY[ended.kind];
    this.endedSites.set(siteId, { ...site, ended: graver ? before.ended : ended, heads: all });
    return true;
  }

  #enrol({ id, body }: Decision<"SITE">): string | undefined {
    const request = openSiteRequest(body);
    if (request === undefined) return "the site did not sign its request";
    const { key: siteId, name, org, place, domains } = request;
    if (this.sites.has(siteId) || this.endedSites.has(siteId)) return "the key was enrolled before";
    const replaced = this.#replacedBy(body);
    if (replaced === "unsound") return "the release is not by the replaced site or its owner";
    if (replaced !== undefined) {
      this.#end(replaced.old, { kind: "replaced", by: siteId }, headMap(replaced.heads));
    }
    this.sites.set(siteId, {
      siteId,
      name,
      org,
      place,
      domains,
      classes: new Set(body.classes),
      operator: body.by as OperatorId,
      replaces: replaced?.old,
      statement: id,
    });
    return undefined;
  }

  #replacedBy(body: SiteBody) {
    if (body.release === null) return undefined;
    const release = openSiteRelease(body.release);
    if (release === undefined || !this.sites.has(release.old)) return "unsound";
    const key = toHex(body.release.key);
    if (key !== release.old && !this.#owners.speaksFor(key, release.old)) return "unsound";
    return release;
  }
}
