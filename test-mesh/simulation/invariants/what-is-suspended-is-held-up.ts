/**
 * While a site is suspended, nothing of it is shown that came after the suspension, unless a revocation
 * has named where its logs end since.
 */
import assert from "node:assert/strict";
import { RECORD_CLASSES } from "../../../protocol/logs/record-class.ts";
import type { World } from "../world.ts";

export function whatIsSuspendedIsHeldUp(world: World): void {
  for (const { site, author, suspension, ends } of world.heldUp) {
    if (!site.isUp) continue;
    const { state } = site;
    if (!state.authority().suspensions.some(({ id }) => id === suspension)) continue;
    if (state.authority().endedSites.get(author)?.ended.kind === "revoked") continue;
    for (const recordClass of RECORD_CLASSES) {
      for (const shown of state.view().entries(recordClass)) {
        if (shown.author !== author) continue;
        const end = ends.get(shown.log) ?? 0;
        const place = `${site.name}: ${recordClass} ${shown.key}, entry ${shown.seq} of ${shown.log}`;
        assert.ok(shown.seq <= end, `${place} came after the suspension`);
      }
    }
    const later = state.logHeads().some(({ author: by, log, seq }) => {
      return by === author && seq > (ends.get(log) ?? 0);
    });
    if (later) world.sometimes.reached("entries of a suspended site are held up");
  }
}
