/**
 * Sends many changes of zones to the daemon in batches, as one change that can be undone.
 *
 * The SOA records go last: a new zone is served when it is whole.
 */
import {
  changeResult,
  linesShape,
  MAX_BATCH_RECORDS,
  MAX_LINES,
  type ChangeOutcome,
  type ChangeRequest,
  type LineList,
} from "../../control/shapes-dns.ts";
import type { ControlClient } from "../../control/client.ts";
import { placeIn, type PlaceOptions } from "./place-options.ts";

/** A batch on a slow disk, or the building of a zone of a million records. */
const BATCH_TIMEOUT_MS = 120_000;

export type PutText = ChangeRequest["puts"][number];
export type RemoveText = ChangeRequest["removes"][number];

/**
 * @param place - Whose records all of these are.
 * @param progress - Told how many records were sent.
 * @throws what the daemon refuses; what went before stays, and `changed` says how to undo it.
 */
export async function sendChange(
  client: ControlClient,
  puts: readonly PutText[],
  removes: readonly RemoveText[],
  place: PlaceOptions = {},
  progress: (doneRecords: number) => void = () => {},
): Promise<ChangeOutcome> {
  const ordered = [
    ...puts.filter(({ type }) => type !== "SOA").map((put) => ({ put })),
    ...removes.map((remove) => ({ remove })),
  ];
  const soas = puts.filter(({ type }) => type === "SOA");
  const done = { change: null as string | null, written: 0, removed: 0 };
  const zones = new Map<string, number>();
  const send = async (batch: typeof ordered, last: boolean): Promise<void> => {
    const request: ChangeRequest = {
      ...placeIn(place),
      ...(done.change === null ? {} : { change: done.change }),
      puts: [...batch.flatMap((each) => ("put" in each ? [each.put] : [])), ...(last ? soas : [])],
      removes: batch.flatMap((each) => ("remove" in each ? [each.remove] : [])),
      last,
    };
    const options = { timeoutMs: BATCH_TIMEOUT_MS };
    const answer = await client.post("/v1/dns/changes", request, changeResult, options);
    done.change ??= answer.change;
    done.written += answer.written;
    done.removed += answer.removed;
    for (const { zone, serial } of answer.zones) zones.set(zone, serial);
  };
  const room = MAX_BATCH_RECORDS - soas.length;
  let at = 0;
  for (; ordered.length - at > room; at += MAX_BATCH_RECORDS) {
    await send(ordered.slice(at, at + MAX_BATCH_RECORDS), false);
    progress(Math.min(at + MAX_BATCH_RECORDS, ordered.length));
  }
  await send(ordered.slice(at), true);
  progress(puts.length + removes.length);
  return { ...done, zones: [...zones].map(([zone, serial]) => ({ zone, serial })) };
}

/** All lines of a zone that have to do with a place; undefined when the mesh has no such zone. */
export async function linesOfZone(
  client: ControlClient,
  zone: string,
  place: PlaceOptions,
): Promise<LineList["lines"] | undefined> {
  for (;;) {
    const lines: LineList["lines"] = [];
    let serial: number | undefined;
    for (let total = 1; lines.length < total;) {
      const query = new URLSearchParams({ from: String(lines.length), ...placeIn(place) });
      const path = `/v1/dns/zones/${encodeURIComponent(zone)}/lines?${query.toString()}`;
      const part = await client.get(path, linesShape, { timeoutMs: BATCH_TIMEOUT_MS });
      // It changed between two parts: from the start.
      if (serial !== undefined && part.serial !== serial) break;
      serial = part.serial;
      total = part.total;
      lines.push(...part.lines);
      if (lines.length >= total || part.lines.length < MAX_LINES) return lines;
    }
  }
}
