/**
 * The mesh that the state is measured with: sites with DNS records of zones of their own, made by
 * the real code of each site, and an observer that holds everything and writes nothing.
 */
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import type { RecordChange } from "../../daemon/state/record-change.ts";
import { State } from "../../daemon/state/state.ts";
import { silentLogger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { parseDnsName, ROOT_NAME } from "../../protocol/dns/dns-name.ts";
import { TYPE } from "../../protocol/dns/dns-type.ts";
import {
  makeZoneRecord,
  zoneRecordJson,
  zoneRecordKey,
  type ZoneRecord,
} from "../../protocol/dns/zone-record.ts";
import { idOf, type SiteId } from "../../protocol/ids.ts";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { entriesOf } from "../../test-mesh/fakes/state-node.ts";
import { FakeDisk } from "../../test-mesh/fakes/store.ts";

export const OBSERVER = "observer";

/** DNS records in a zone of the site, which every site serves, or notes, which nobody reads. */
export type Kind = "zone" | "note";

export interface MeshPlan {
  readonly kind: Kind;
  readonly sites: number;
  readonly recordsPerSite: number;
  /** Records that a site sets at once. */
  readonly recordsPerWrite: number;
}

/** Founds the mesh of a plan; the same each time. */
export function foundMesh({ sites }: Pick<MeshPlan, "sites">): Founding {
  const founding = new Founding("bench");
  founding.enrol(OBSERVER);
  for (let site = 0; site < sites; site++) {
    founding.grant(founding.enrol(siteName(site)), "zone", zoneName(site));
  }
  founding.grant(idOf<SiteId>(testKey(OBSERVER).publicKey), "zone", "observer.example");
  return founding;
}

export function siteName(site: number): string {
  return `site${site}`;
}

function zoneName(site: number): string {
  return `s${site}.example`;
}

/** Writes the entries of all sites to a file; each as its length in four bytes, and itself. */
export async function makeEntries(plan: MeshPlan, path: string): Promise<number> {
  const statements = foundMesh(plan).statements;
  const file = createWriteStream(path);
  let entries = 0;
  for (let site = 0; site < plan.sites; site++) {
    const state = await State.open({
      store: new FakeDisk().open(),
      clock: systemClock,
      log: silentLogger,
      siteKey: testKey(siteName(site)),
    });
    await state.addStatements(statements);
    const { recordsPerSite } = plan;
    const changes = [
      ...(plan.kind === "zone" ? zoneOf(site, recordsPerSite) : notes(recordsPerSite)),
    ];
    for (let at = 0; at < changes.length; at += plan.recordsPerWrite) {
      await state.write(changes.slice(at, at + plan.recordsPerWrite));
    }
    for (const bytes of await entriesOf(state)) {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      file.write(length);
      if (!file.write(bytes)) await once(file, "drain");
      entries += 1;
    }
    await state.close();
  }
  file.end();
  await once(file, "finish");
  return entries;
}

/** As large as the records of a zone. */
function* notes(count: number): Generator<RecordChange> {
  for (let note = 1; note <= count; note++) {
    const value = { ttl: 3600, data: `10.0.${note >> 8}.${note & 255}`, view: "public" };
    yield { class: "note", key: `bench/note-${note}/${"0".repeat(16)}`, value };
  }
}

/** The records of one site: a zone with its SOA, and the rest addresses. */
function* zoneOf(site: number, count: number): Generator<RecordChange> {
  const zone = parseDnsName(zoneName(site), ROOT_NAME);
  const soa = ". hostmaster 1 7200 900 1209600 300";
  yield change(makeZoneRecord(zone, zone, TYPE.SOA, 3600, soa));
  for (let host = 1; host < count; host++) {
    const owner = parseDnsName(`host-${host}`, zone);
    const address = `10.${site}.${host >> 8}.${host & 255}`;
    yield change(makeZoneRecord(zone, owner, TYPE.A, 3600, address));
  }
}

function change(record: ZoneRecord): RecordChange {
  return {
    class: "zone",
    key: zoneRecordKey(record),
    value: { ...zoneRecordJson(record) },
  };
}

/** Reads the entries back, in frames as a round of replication delivers them. */
export async function* entryFrames(path: string): AsyncGenerator<readonly Uint8Array[]> {
  let rest = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: FRAME_BYTES })) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    const frame: Uint8Array[] = [];
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
      const end = 4 + rest.readUInt32BE();
      frame.push(Uint8Array.from(rest.subarray(4, end)));
      rest = rest.subarray(end);
    }
    yield frame;
  }
}

/** What fills a frame of replication. */
const FRAME_BYTES = 64 * 1024;
