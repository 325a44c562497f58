/**
 * Brings a holder to a list of ours whose generation lies too far above the one that it has.
 *
 * A holder takes bounded steps only, so that whoever had our key for a while could not use the numbers
 * up. But he could lead two holders to generations further apart than a step: a list above the higher
 * one is too high for the lower one. That holder gets the same list under numbers in between.
 */
import type { SiteId } from "../../../../protocol/ids.ts";
import type { Holder } from "../holder.ts";
import type { LoadedList } from "../lists/list-store.ts";
import { signAnew } from "../lists/sign-anew.ts";

/** Steps with one holder in one piece of work; who was led further than that is left alone. */
const MOST_STEPS = 4096;

export class Climb {
  readonly #holder: Pick<Holder, "siteKey" | "transport">;
  readonly #list: LoadedList;
  /** By holder: the generation that it had of us last, and how many it had. */
  readonly #steps = new Map<SiteId, { readonly generation: number; readonly count: number }>();

  constructor(holder: Pick<Holder, "siteKey" | "transport">, list: LoadedList) {
    this.#holder = holder;
    this.#list = list;
  }

  /**
   * The list under the number that a holder takes next. Undefined when the list is not ours, or the
   * holder asks for no number between what it had and the list's own: then it only wastes our line.
   *
   * @param highest - The highest generation that it takes, by its own word.
   */
  next(site: SiteId, highest: number): LoadedList | undefined {
    const { header } = this.#list;
    if (header.by !== this.#holder.transport.self || highest >= header.generation) return undefined;
    const { generation, count } = this.#steps.get(site) ?? { generation: 0, count: 0 };
    if (highest <= generation || count >= MOST_STEPS) return undefined;
    this.#steps.set(site, { generation: highest, count: count + 1 });
    const place = { generation: highest, previous: header.previous };
    return signAnew(this.#holder.siteKey, this.#list, place);
  }
}
