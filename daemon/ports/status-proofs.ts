/** What the view says about proofs and repairs, for the verdict. */
import {
  intakeRecord,
  parseGroupKey,
  SCRUB_KEY,
  scrubRecord,
} from "../../protocol/logs/hold-record.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { findingsBy } from "../core/backup/published.ts";
import type { Authority } from "../core/authority/authority.ts";
import type { ProofFacts } from "../core/status/status-proofs.ts";
import type { View } from "../core/logs/view.ts";

export function proofFacts(
  view: View,
  authority: Authority,
  self: string,
  nowMs: number,
): ProofFacts {
  const nameOf = (site: SiteId): string => {
    const known = authority.sites.get(site) ?? authority.endedSites.get(site);
    return known?.name ?? site.slice(0, 8);
  };
  const findings = findingsBy(view, self as SiteId).map((finding) => {
    return { site: nameOf(finding.site), finding };
  });
  const repairs = view.entries("hold", "intake/").flatMap(({ key, author, value }) => {
    const intake = intakeRecord.safeParse(value);
    if (parseGroupKey("intake", key) === undefined || !intake.success) return [];
    const { bytes, doneBytes, endsAtMs, refused } = intake.data;
    const endsInMs = endsAtMs === null ? null : endsAtMs - nowMs;
    return [{ site: nameOf(author), bytes, doneBytes, endsInMs, refused: refused !== null }];
  });
  const scrub = scrubRecord.safeParse(view.get("hold", SCRUB_KEY, self as SiteId)?.value);
  const ownLosses = scrub.success ? scrub.data.damaged + scrub.data.missing : 0;
  return { findings, repairs, ownLosses };
}
