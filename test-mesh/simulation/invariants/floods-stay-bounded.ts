/** What a member can make the others store is bounded by limits that do not depend on its zeal. */
import assert from "node:assert/strict";
import { ENTRIES, QUARANTINE } from "../../../daemon/state/keys.ts";
import { unsealEntry } from "../../../daemon/state/sealed-entries.ts";
import { readEnvelope } from "../../../protocol/logs/envelope.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import { isGenesis, isUnknown } from "../../../protocol/statements/statement.ts";
import { STATEMENT_LIMITS } from "../found-mesh.ts";
import type { Healed } from "../heal.ts";

/** As the daemon's limits say. */
const MAX_AUTHOR_BYTES = 256 * 2 ** 20;
/** Live ones of one part that are kept at all. */
const MAX_KEPT_LOGS = 16;
const MAX_QUARANTINED = 256;

export function floodsStayBounded({ world, sites }: Healed): void {
  for (const { disk, state, name } of sites) {
    const bytesBy = new Map<SiteId, number>();
    let quarantined = 0;
    for (const [key, bytes] of disk.content) {
      if (key >= QUARANTINE.from && key < QUARANTINE.to) quarantined += 1;
      if (key < ENTRIES.from || key >= ENTRIES.to) continue;
      const entry = unsealEntry(key, bytes);
      if (entry === undefined) continue;
      const { author } = readEnvelope(entry).header;
      bytesBy.set(author, (bytesBy.get(author) ?? 0) + bytes.length);
    }
    assert.ok(quarantined <= MAX_QUARANTINED, `${name} keeps ${quarantined} unfit entries`);
    for (const [author, bytes] of bytesBy) {
      assert.ok(bytes <= MAX_AUTHOR_BYTES, `${name} stores ${bytes} bytes of ${author}`);
    }
    const { id } = world.byzantine.site;
    const { suspensions, endedGrants } = state.authority();
    // What operators name stays besides.
    const named = new Set([
      ...suspensions.flatMap(({ logs }) => logs.map(({ log }) => log)),
      ...endedGrants.flatMap(({ heads }) => [...heads.keys()]),
    ]);
    const offers = state.logHeads().filter(({ author, class: recordClass, takenUp, log }) => {
      return author === id && recordClass === "offer" && takenUp === 0 && !named.has(log);
    });
    assert.ok(offers.length <= MAX_KEPT_LOGS, `${name} keeps ${offers.length} logs of one part`);

    const epochs = state.statements().filter(({ body }) => body.kind === "EPOCH").length;
    const most = STATEMENT_LIMITS.operatorStatements * (epochs + 1);
    const signers = Map.groupBy(state.statements(), ({ body }) =>
      isGenesis(body) || (!isUnknown(body) && !("seq" in body)) ? "" : "by" in body ? body.by : "",
    );
    for (const [by, statements] of signers) {
      if (by === "") continue;
      assert.ok(
        statements.length <= most,
        `${name} keeps ${statements.length} statements of ${by}`,
      );
      if (statements.length >= STATEMENT_LIMITS.operatorStatements) {
        world.sometimes.reached("a signer at its limit");
      }
    }
  }
}
