/**
 * Lists of placement groups inside a record: base64 of deterministic CBOR.
 *
 * As plain JSON a group takes 330 bytes of the 8 KiB that a value may have; packed it takes 70, so
 * the 64 groups of 1 TiB fit into one record. A reader sees the shapes below and nothing of the
 * packing. Text that is too long, not the one base64 of its bytes, or not the one CBOR of what it
 * says, is refused before it is looked at any further.
 */
import { z } from "zod";
import { MAX_COPIES, MAX_GROUPS } from "../backup/list.ts";
import { CborError, decodeCbor, encodeCbor, type CborValue } from "../encoding/cbor.ts";
import { bytesField, countField, idField } from "../encoding/wire-field.ts";
import type { ListId, SiteId } from "../ids.ts";
import { MAX_VALUE_BYTES } from "./record-version.ts";

/** One group as its owner's site publishes it. */
export interface PlacedGroup {
  /** The sites that are to hold it. */
  readonly targets: readonly SiteId[];
  readonly generation: number;
  readonly list: ListId;
  readonly shards: number;
  readonly bytes: number;
}

/** One group that a holder has in full. */
export interface HeldGroup {
  readonly group: number;
  readonly generation: number;
  readonly list: ListId;
}

/** Base64 that a value has room for. */
const packedBytes = z.codec(
  z.string().max(MAX_VALUE_BYTES),
  z.custom<CborValue>((value) => value !== undefined),
  {
    decode: (text, { issues }) => {
      const bytes = Buffer.from(text, "base64");
      const problem = "is not the base64 of deterministic CBOR";
      try {
        // Buffer passes over what is not base64.
        if (bytes.toString("base64") === text) return decodeCbor(bytes, MAX_VALUE_BYTES);
      } catch (error) {
        if (!(error instanceof CborError)) throw error;
      }
      issues.push({ code: "custom", input: text, message: problem });
      return z.NEVER;
    },
    encode: (value) => Buffer.from(encodeCbor(value)).toString("base64"),
  },
);

/** More different sites do not fit into a record; an index has one byte. */
const MAX_SITES = 256;
const sitesField = z.array(idField<SiteId>()).max(MAX_SITES);
/** `[indexes of the targets among the sites, generation, list, shards, bytes]` */
const packedGroup = z.tuple([
  bytesField(0, MAX_COPIES),
  countField(0),
  idField<ListId>(),
  countField(0),
  countField(0),
]);
const tabled = z.tuple([sitesField, z.array(packedGroup).max(MAX_GROUPS)]);
type Tabled = z.output<typeof tabled>;

/** Groups with their targets, in order: `[[site, …], [group, …]]`. */
export const placedGroups = packedBytes.pipe(tabled).pipe(
  z.codec(z.custom<Tabled>(), z.custom<readonly PlacedGroup[]>(Array.isArray), {
    decode: ([sites, groups], { issues }) => {
      const placed: PlacedGroup[] = [];
      for (const [indexes, generation, list, shards, bytes] of groups) {
        const targets: SiteId[] = [];
        for (const index of indexes) {
          const site = sites[index];
          if (site === undefined) {
            issues.push({
              code: "custom",
              input: index,
              message: "names a site that is not there",
            });
            return z.NEVER;
          }
          targets.push(site);
        }
        placed.push({ targets, generation, list, shards, bytes });
      }
      return placed;
    },
    encode: (placed) => tableOf(placed),
  }),
);

function tableOf(placed: readonly PlacedGroup[]): Tabled {
  const sites = [...new Set(placed.flatMap(({ targets }) => targets))];
  const indexes = new Map(sites.map((site, index) => [site, index]));
  const groups = placed.map(({ targets, generation, list, shards, bytes }): Tabled[1][number] => {
    const named = targets.map((site) => indexes.get(site) ?? 0);
    return [Uint8Array.from(named), generation, list, shards, bytes];
  });
  return [sites, groups];
}

const listed = z
  .array(z.tuple([countField(0, MAX_GROUPS - 1), countField(0), idField<ListId>()]))
  .max(MAX_GROUPS);

/** Groups that are held in full: `[[group, generation, list], …]`. */
export const heldGroups = packedBytes.pipe(listed).pipe(
  z.codec(z.custom<z.output<typeof listed>>(), z.custom<readonly HeldGroup[]>(Array.isArray), {
    decode: (groups) => groups.map(([group, generation, list]) => ({ group, generation, list })),
    encode: (groups) => groups.map(({ group, generation, list }) => [group, generation, list]),
  }),
);

/** The longest heads of a packed text, and of the three lists in it. */
const HEADS_BYTES = 3 + 1 + 3 + 3;
/** An identifier of 32 bytes and its head. */
const ID_BYTES = 34;

/**
 * How many of the first groups fit into a text of a record.
 *
 * @param roomBytes - What the value has left for the text, with its head.
 */
export function countThatFits(groups: readonly PlacedGroup[], roomBytes: number): number {
  const leftBytes = Math.floor(roomBytes / 4) * 3;
  const sites = new Set<SiteId>();
  let usedBytes = HEADS_BYTES;
  for (const [index, { targets, generation, shards, bytes }] of groups.entries()) {
    for (const site of targets) sites.add(site);
    const numbers = [generation, shards, bytes].reduce((sum, one) => sum + countBytes(one), 0);
    usedBytes += 1 + 1 + targets.length + numbers + ID_BYTES;
    if (usedBytes + sites.size * ID_BYTES > leftBytes || sites.size > MAX_SITES) return index;
  }
  return groups.length;
}

/** What CBOR takes for a whole number of 0 or more. */
function countBytes(count: number): number {
  if (count < 24) return 1;
  if (count < 2 ** 8) return 2;
  if (count < 2 ** 16) return 3;
  return count < 2 ** 32 ? 5 : 9;
}
