/** Of a log that its author forked all honest nodes hold the same prefix, and what proves it. */
import assert from "node:assert/strict";
import { decodeEnvelope } from "../../../protocol/logs/envelope.ts";
import type { LogId } from "../../../protocol/ids.ts";
import type { Healed } from "../heal.ts";

export function aForkEndsAtOnePrefix({ world, sites, entries }: Healed): void {
  // Two entries for one place that honest disks still hold: somebody saw both sides.
  const places = Map.groupBy(entries.map(decodeEnvelope), ({ log, header }) => {
    return `${log}/${header.seq}`;
  });
  const forked = new Set<LogId>();
  for (const rivals of places.values()) {
    const [first, other] = rivals;
    if (first !== undefined && other !== undefined) forked.add(first.log);
  }
  for (const { state, name } of sites) {
    const authority = state.authority();
    for (const { log, lastSeq } of [...authority.forkedLogs].map(([id, fork]) => ({
      log: id,
      ...fork,
    }))) {
      const held = state.logHeads().find((each) => each.log === log);
      assert.ok((held?.seq ?? 0) <= lastSeq, `${name} counts an entry beyond a fork of ${log}`);
      world.sometimes.reached("a fork is proved");
    }
    for (const log of forked) {
      if (!state.logHeads().some((each) => each.log === log)) continue;
      assert.ok(
        authority.forkedLogs.has(log) || !authority.sites.has(world.byzantine.site.id),
        `${name} has no proof that ${log} was forked`,
      );
    }
  }
}
