/** What lies on any honest disk is canonical, and nothing forged is among it. */
import assert from "node:assert/strict";
import { encodeCbor, decodeCbor } from "../../../protocol/encoding/cbor.ts";
import { sha256, toHex } from "../../../protocol/ids.ts";
import { decodeEnvelope, MAX_ENVELOPE_BYTES } from "../../../protocol/logs/envelope.ts";
import { decodeStatement, encodeStatement } from "../../../protocol/statements/statement.ts";
import { statementKey } from "../../../daemon/state/keys.ts";
import { unsealEntry } from "../../../daemon/state/sealed-entries.ts";
import type { Healed } from "../heal.ts";

export function acceptedBytesAreCanonical({ world, sites }: Healed): void {
  const { forbidden } = world.byzantine;
  for (const site of sites) {
    const { disk, name } = site;
    const kept = new Set(site.state.statements().map(({ id }) => statementKey(id)));
    for (const [key, value] of disk.content) {
      const isEntry = key.startsWith("entry/");
      if (!isEntry && !key.startsWith("statement/")) continue;
      // A statement that was damaged on this disk, and that no site keeps any more, is read by nobody.
      if (!isEntry && world.damaged.has(site) && !kept.has(key)) continue;
      const bytes = isEntry ? unsealEntry(key, value) : value;
      assert.ok(bytes !== undefined, `${name} stored ${key} damaged`);
      const why = forbidden.get(toHex(sha256(bytes)));
      assert.equal(why, undefined, `${name} stored ${why}: ${key}`);
      const again = isEntry
        ? encodeCbor(decodeCbor(decodeEnvelope(bytes).bytes, MAX_ENVELOPE_BYTES))
        : encodeStatement(decodeStatement(bytes));
      assert.deepEqual(Buffer.from(again), Buffer.from(bytes), `${name} ${key}`);
    }
  }
}
