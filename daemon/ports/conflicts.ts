/** Records of which several versions stand, for people, and how they are settled. */
import { readZoneRecord, zoneRecordJson } from "../../protocol/dns/zone-record.ts";
import { PleachError } from "../../protocol/error.ts";
import type { JsonValue } from "../../protocol/encoding/json-value.ts";
import { isSharedClass, RECORD_CLASSES } from "../../protocol/logs/record-class.ts";
import type { ConflictPort } from "../control/conflict-routes.ts";
import type { ConflictInfo } from "../control/shapes-conflicts.ts";
import type { ConflictedRecord, StandingVersion } from "../core/logs/view.ts";
import { settledSoa } from "../core/zones/serial-base.ts";
import { serialsOf } from "../dns/zone-source.ts";
import type { State } from "../state/state.ts";
import { writtenAtMs } from "./written-at.ts";

/** A version that cannot be kept. */
class ConflictError extends PleachError<
  | "E-CONFLICT-UNKNOWN" // no such version stands in conflict with another one
  | "E-CONFLICT-ELSEWHERE" // only the site that wrote the record can settle it
> {}

/** @param write - Records of this site; refused on a full disk. */
export function conflictPort(state: State, write: State["write"]): ConflictPort {
  return {
    conflicts: async () => Promise.all(all(state).map((record) => describe(state, record))),
    keep: async (versions) => {
      const changes = versions.map((id) => changeFor(state, id));
      await write(changes);
      return changes.map(({ class: recordClass, key }) => ({ class: recordClass, key }));
    },
  };
}

function all(state: State): readonly ConflictedRecord[] {
  const view = state.view();
  return RECORD_CLASSES.flatMap((recordClass) => view.conflicts(recordClass));
}

async function describe(state: State, record: ConflictedRecord): Promise<ConflictInfo> {
  const { class: recordClass, key } = record;
  const authority = state.authority();
  const nameOf = ({ author }: StandingVersion): string =>
    (authority.sites.get(author) ?? authority.endedSites.get(author))?.name ?? author.slice(0, 8);
  const versions = record.versions.map(async (version) => ({
    id: version.versionId,
    siteId: version.author,
    site: nameOf(version),
    writtenAtMs: await writtenAtMs(state, version),
    deleted: version.value === undefined,
    value: version.value ?? null,
  }));
  return {
    class: recordClass,
    key,
    versions: await Promise.all(versions),
    mayKeep: mayKeep(state, record),
  };
}

/** What a site writes about itself it alone can settle: others cannot write under its key. */
function mayKeep(state: State, { class: recordClass, key, versions }: ConflictedRecord): boolean {
  const authority = state.authority();
  if (!authority.isMember(state.siteId)) return false;
  return isSharedClass(recordClass)
    ? authority.mayWrite(state.siteId, recordClass, key)
    : versions.every(({ author }) => author === state.siteId);
}

function changeFor(
  state: State,
  id: string,
): { readonly class: ConflictInfo["class"]; readonly key: string; value: JsonValue | undefined } {
  for (const record of all(state)) {
    const version = record.versions.find(({ versionId }) => versionId === id);
    if (version === undefined) continue;
    const { class: recordClass, key } = record;
    if (!isSharedClass(recordClass) && version.author !== state.siteId) {
      const name = state.authority().sites.get(version.author)?.name ?? version.author.slice(0, 8);
      throw new ConflictError("E-CONFLICT-ELSEWHERE", `Only ${name} can settle its own ${key}.`, {
        hint: `Run the command on ${name}.`,
        exit: 5,
      });
    }
    return { class: recordClass, key, value: keptValue(state, record, version.value) };
  }
  throw new ConflictError(
    "E-CONFLICT-UNKNOWN",
    "No such version stands in conflict with another one.",
    { hint: "It may be settled by now. Look:  pleach conflicts" },
  );
}

/** Of a zone's SOA record the serial goes on from the latest that any version gives. */
function keptValue(
  state: State,
  { class: recordClass, key }: ConflictedRecord,
  value: JsonValue | undefined,
): JsonValue | undefined {
  if (recordClass !== "zone" || value === undefined || !key.includes("/@/SOA/")) return value;
  const soa = readZoneRecord(key, value);
  const serials = serialsOf({
    logHeads: () => state.logHeads(),
    statements: () => state.statements(),
  });
  return { ...zoneRecordJson(settledSoa(soa, state.view(), serials)) };
}
