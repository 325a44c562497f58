/** What is shown equals what a second, simple computation from all statements and entries gives. */
import assert from "node:assert/strict";
import { authorize } from "../../../daemon/core/authority/authorize.ts";
import { decodeEnvelope } from "../../../protocol/logs/envelope.ts";
import { RECORD_CLASSES } from "../../../protocol/logs/record-class.ts";
import type { Healed } from "../heal.ts";
import { line, referenceView } from "../reference/reference-view.ts";

export function viewEqualsReference({ sites, entries, random }: Healed): void {
  const [site] = sites;
  assert.ok(site !== undefined);
  const authority = authorize(random.shuffled(site.state.statements()));
  const envelopes = entries.map(decodeEnvelope);
  const view = site.state.view();
  for (const recordClass of RECORD_CLASSES) {
    const shown = view.entries(recordClass).map(({ key, author, versionId, conflicts }) => {
      return line(key, author, [versionId, ...conflicts.map((each) => each.versionId)]);
    });
    const expected = referenceView(authority, envelopes, recordClass);
    assert.deepEqual(shown.toSorted(), expected, `records of class ${recordClass}`);
  }
}
