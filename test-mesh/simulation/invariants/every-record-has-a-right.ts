/** No record is shown without a right, and none from beyond where its log ends. */
import assert from "node:assert/strict";
import { RECORD_CLASSES } from "../../../protocol/logs/record-class.ts";
import type { Healed } from "../heal.ts";

export function everyRecordHasARight({ world, sites }: Healed): void {
  for (const { state, name } of sites) {
    const authority = state.authority();
    for (const recordClass of RECORD_CLASSES) {
      for (const { key, author, log, seq } of state.view().entries(recordClass)) {
        const place = `${name}: ${recordClass} ${key} of ${author}`;
        const enrolled = authority.sites.has(author) || authority.endedSites.has(author);
        assert.ok(enrolled, `${place}: nobody enrolled its author`);
        const ended = authority.endedGrants.some(
          (grant) => grant.site === author && grant.class === recordClass,
        );
        assert.ok(ended || authority.mayWrite(author, recordClass, key), `${place}: no right`);
        const limit = authority.logLimit(author, log);
        assert.notEqual(limit, "none", `${place}: nothing of its log counts`);
        if (typeof limit === "object") {
          assert.ok(seq <= limit.seq, `${place}: entry ${seq} lies beyond ${limit.seq}`);
          world.sometimes.reached("a record below a limit");
        }
      }
    }
  }
}
