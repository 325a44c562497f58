/** Changes of an admitted update that keep it an update of Yjs, or nearly one. */
import { decodeUpdate, Item } from "yjs";
import type { CborValue } from "../../protocol/encoding/cbor.ts";
import type { SeededRandom } from "../fakes/seeded-random.ts";
import { rawUpdate, version, type RawItem } from "../hostile/yjs-attacks.ts";
import { anyValue, mutateBytes, mutateValue } from "./mutate.ts";

const KEYS = [
  "node",
  "k",
  "__proto__",
  "",
  "a/b",
  "\u0000",
  "\ud800",
  "x".repeat(399),
  "x".repeat(401),
];

export function mutatePayload(payload: Uint8Array, random: SeededRandom): Uint8Array {
  if (random.chance(0.3)) return mutateBytes(payload, random);
  const update = decodeUpdate(payload);
  const first = update.structs[0];
  const client = first?.id.client ?? 1;
  const clock = first?.id.clock ?? 0;
  const items: RawItem[] = update.structs.flatMap((struct) => {
    if (!(struct instanceof Item)) return [];
    const { origin, parentSub } = struct;
    const value: unknown = struct.content.getContent()[0];
    const key = parentSub ?? "k";
    return [origin === null ? { key, value } : { origin, value }];
  });
  const deletes = [...update.ds.clients].flatMap(([of, ranges]) =>
    ranges.map((range) => ({ client: of, clock: range.clock, len: range.len })),
  );
  const change = random.below(7);
  const at = random.below(Math.max(1, items.length));
  const item = items[at];
  if (change === 0 && item !== undefined) {
    items[at] = { ...item, value: mutateValue(item.value as CborValue, random) };
  } else if (change === 1)
    items.push({ key: random.pick(KEYS), value: version(anyValue(random, 9)) });
  else if (change === 2 && item !== undefined) {
    items[at] = {
      value: item.value,
      origin: { client, clock: random.pick([0, 1, clock, clock + 1, 2 ** 40]) },
    };
  } else if (change === 3) items.splice(at, 1);
  else if (change === 4) {
    deletes.push({
      client: random.pick([client, client + 1]),
      clock: random.below(4),
      len: random.below(4),
    });
  } else if (change === 5 && item !== undefined) items.push(item);
  else {
    const root = random.pick(["r", "other"]);
    items.push({ root, key: random.pick(KEYS), value: version(random.below(9)) });
  }
  return rawUpdate({ client, clock: clock + (random.chance(0.05) ? 1 : 0), items }, deletes);
}
