/**
 * Turns the wishes of this site about its records into versions.
 */
import {
  encodeJson,
  isJsonValue,
  sameJson,
  type JsonValue,
} from "../../protocol/encoding/json-value.ts";
import type { SiteId } from "../../protocol/ids.ts";
import { isSharedClass, type RecordClass } from "../../protocol/logs/record-class.ts";
import {
  isRecordKey,
  MAX_LAMPORT,
  MAX_SUPERSEDED,
  MAX_VALUE_BYTES,
  type RecordVersion,
} from "../../protocol/logs/record-version.ts";
import type { Authority } from "../core/authority/authority.ts";
import type { View, ViewEntry } from "../core/logs/view.ts";
import type { ClassChanges } from "./own/plan-entries.ts";
import type { Shelf, StandingVersion } from "./shelf.ts";
import { StateError } from "./state-error.ts";

/** One wish; `undefined` deletes. */
export interface RecordChange {
  readonly class: RecordClass;
  readonly key: string;
  readonly value: JsonValue | undefined;
}

const ENDED = {
  revoked: "This site was expelled from the mesh.",
  replaced: "Another site has taken the place of this one.",
  left: "This site has left the mesh.",
} as const;

/** @throws StateError E-STATE-VALUE, E-STATE-RIGHT, E-STATE-FORKED */
export function checkChange(change: RecordChange, site: SiteId, authority: Authority): void {
  const { class: recordClass, key, value } = change;
  if (!isRecordKey(key)) {
    throw new StateError("E-STATE-VALUE", `${JSON.stringify(key)} cannot be a key.`);
  }
  if (value !== undefined) {
    if (!isJsonValue(value)) throw new StateError("E-STATE-VALUE", `${key}: not a JSON value.`);
    const { length } = encodeJson(value);
    if (length > MAX_VALUE_BYTES) {
      const text = `${key}: ${length} bytes, a value has at most ${MAX_VALUE_BYTES}.`;
      throw new StateError("E-STATE-VALUE", text);
    }
  }
  const ended = authority.endedSites.get(site)?.ended;
  if (ended !== undefined) {
    const hint = "A new key can take its place: enrol the box anew.";
    throw new StateError("E-STATE-RIGHT", ENDED[ended.kind], { hint, exit: 5 });
  }
  if (!authority.mayOpenLogs(site)) {
    const text =
      "The key of this site has signed eight logs in two ways: nothing more of it counts.";
    const hint = "Look for a second box with this key, then enrol this one with a new key.";
    throw new StateError("E-STATE-FORKED", text, { hint, exit: 5 });
  }
  if (!authority.isMember(site) || !authority.mayWrite(site, recordClass, key)) {
    const text = `This site has no right to write ${recordClass} ${key}.`;
    const hint = "An operator can sign a GRANT for it.";
    throw new StateError("E-STATE-RIGHT", text, { hint, exit: 5 });
  }
}

/**
 * The versions that fulfil the wishes: each replaces all that stand at its key. What is so
 * already needs none. Of two wishes for one key the later counts. The Lamport numbers ascend from
 * behind `lamport`, so that what an entry brought can be told from what came after it.
 */
export function versionsFor(
  changes: readonly RecordChange[],
  at: {
    readonly siteId: SiteId;
    readonly lamport: number;
    readonly shelf: Shelf;
    readonly view: View;
  },
): ClassChanges[] {
  let { lamport } = at;
  return [...Map.groupBy(changes, (change) => change.class)]
    .map(([recordClass, group]) => {
      const latest = new Map(group.map((change) => [change.key, change.value]));
      const { shelf, siteId, view } = at;
      const author = isSharedClass(recordClass) ? undefined : siteId;
      const standing = shelf.standing(recordClass, new Set(latest.keys()), author, siteId);
      const records = [...latest].flatMap(([key, value]) => {
        const version = versionFor(value, {
          lamport: lamport + 1,
          shown: view.get(recordClass, key, author),
          standing: standing.get(key) ?? [],
        });
        if (version === undefined) return [];
        lamport = version.lamport;
        return [[key, version]] as const;
      });
      return { class: recordClass, records };
    })
    .filter(({ records }) => records.length > 0);
}

function versionFor(
  value: JsonValue | undefined,
  at: {
    readonly lamport: number;
    readonly shown: ViewEntry | undefined;
    readonly standing: readonly StandingVersion[];
  },
): RecordVersion | undefined {
  const { shown, standing } = at;
  if (shown !== undefined && shown.conflicts.length === 0 && value !== undefined) {
    // What is shown while this site is suspended may be replaced already, out of sight.
    const isReplaced = standing.some(({ version }) => version.supersedes.includes(shown.versionId));
    if (!isReplaced && sameJson(shown.value, value)) return undefined;
  }
  if (value === undefined && shown === undefined) {
    if (standing.every(({ version }) => version.value === undefined)) return undefined;
  }
  // What shows by rights that were taken back stands in no log as it is now.
  const seen = shown === undefined ? [] : [shown, ...shown.conflicts];
  const replaced = standing
    .map(({ version }) => version)
    .toSorted((a, b) => b.lamport - a.lamport || (a.id < b.id ? -1 : 1))
    .map(({ id }) => id)
    .concat(seen.map(({ versionId }) => versionId));
  const supersedes = [...new Set(replaced)].slice(0, MAX_SUPERSEDED);
  return {
    lamport: Math.min(at.lamport, MAX_LAMPORT),
    supersedes,
    value,
  };
}
