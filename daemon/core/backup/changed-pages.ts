/** What has to be written so that the records of one set are shown, and none that it had before. */
import type { SiteId } from "../../../protocol/ids.ts";
import { sameJson, type JsonValue } from "../../../protocol/encoding/json-value.ts";
import { pageKey, type KeyedValue } from "../../../protocol/logs/record-pages.ts";
import type { View } from "../logs/view.ts";

export interface PageChange {
  readonly class: "place" | "hold";
  readonly key: string;
  /** Undefined: deleted. */
  readonly value: JsonValue | undefined;
}

/**
 * Empty when all is so already.
 *
 * @param self - The site that writes.
 * @param records - The record of the set, then the further ones in their order.
 */
export function changedPages(
  view: View,
  self: SiteId,
  recordClass: PageChange["class"],
  records: readonly KeyedValue[],
): PageChange[] {
  const shown = (key: string): JsonValue | undefined => view.get(recordClass, key, self)?.value;
  const changes: PageChange[] = records
    .filter(({ key, value }) => {
      const before = shown(key);
      return before === undefined || !sameJson(before, value);
    })
    .map((record) => ({ class: recordClass, ...record }));
  const [main] = records;
  if (main === undefined) return changes;
  for (let page = records.length; shown(pageKey(main.key, page)) !== undefined; page++) {
    changes.push({ class: recordClass, key: pageKey(main.key, page), value: undefined });
  }
  return changes;
}
