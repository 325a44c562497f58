/**
 * A crash at any point, an older image, a second box with the same key: no honest key ever signs
 * two entries for one place.
 */
import assert from "node:assert/strict";
import type { Healed } from "../heal.ts";

export function noPlaceIsSignedTwice({ world }: Healed): void {
  const byzantine = world.byzantine.site.id;
  for (const [place, entries] of world.archive.byPlace()) {
    if (entries[0]?.header.author === byzantine) continue;
    assert.equal(entries.length, 1, `an honest site signed two entries for ${place}`);
  }
}
