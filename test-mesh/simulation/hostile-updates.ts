/**
 * Yjs updates that would harm whoever applies them without a look: admission has to refuse each.
 */
import { Doc, encodeStateAsUpdate, Map as SharedMap } from "yjs";
import type { SeededRandom } from "../fakes/seeded-random.ts";

interface Target {
  /** The client id that the document's only writer has. */
  readonly id: number;
  readonly clock: number;
}

const version = { l: 1, s: [], x: { name: "hostile", ports: [], addresses: [] } };

/** An update by one client, as Yjs itself encodes it. */
function updateBy(clientId: number, write: (root: SharedMap<unknown>) => void): Uint8Array {
  const document = new Doc();
  document.clientID = clientId;
  const root = document.getMap("r");
  document.transact(() => write(root));
  return Uint8Array.from(encodeStateAsUpdate(document));
}

/** No structs, and a delete set of one client: clock 0, so many items. */
function deletion(clientId: number, items: number): Uint8Array {
  return Uint8Array.from([0, 1, ...varUint(clientId), 1, 0, ...varUint(items)]);
}

/** As lib0 writes numbers: seven bits a byte, the lowest first. */
function varUint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push(128 + (rest % 128));
  return [...bytes, rest];
}

type Make = (target: Target, random: SeededRandom) => Uint8Array;

export const HOSTILE_UPDATES: Readonly<Record<string, Make>> = {
  "deletes another writer's items": (_, random) => deletion(1 + random.below(2 ** 31), 2 ** 40),
  "deletes its own future items": ({ id, clock }) => deletion(id, clock + 1000),
  "is by another client": (_, random) =>
    updateBy(1 + random.below(2 ** 31), (root) => root.set("service/h", version)),
  "signs its own clock again": ({ id, clock }) =>
    updateBy(id, (root) => {
      for (let at = 0; at <= clock + 1; at++) root.set(`service/h${at}`, version);
    }),
  "nests a type": ({ id }) => updateBy(id, (root) => root.set("service/h", new SharedMap())),
  "is cut off": ({ id }) => updateBy(id, (root) => root.set("service/h", version)).subarray(0, 9),
  "is noise": (_, random) => random.bytes(40),
};
