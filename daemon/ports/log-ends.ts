/** Where the logs of a site end, and what lies behind given ends, for decisions that cut them. */
import type { SiteId } from "../../protocol/ids.ts";
import type { LogHead } from "../../protocol/logs/log-head.ts";
import type { ClassName } from "../../protocol/logs/record-class.ts";
import type { CutEffect, EffectRequest, EndsRequest } from "../control/shapes-decisions.ts";
import type { State } from "../state/state.ts";
import { writtenAtMs } from "./written-at.ts";

/** Enough for a person to see what is hit. */
const MAX_RECORDS = 1000;

/** The last entry of each log that is here, or that the site wrote before a time by its clock. */
export function logEnds(state: State, { site, classes, sinceMs }: EndsRequest): LogHead[] {
  const names = classes === null ? undefined : (classes as readonly ClassName[]);
  return [...state.cutoffs(site as SiteId, { classes: names, sinceMs: sinceMs ?? undefined })];
}

/** What behind the ends would count no more. */
export async function cutEffect(
  state: State,
  {
    site,
    classes,
    logs: ends,
  }: Pick<EffectRequest, "site" | "classes"> & {
    readonly logs: readonly { readonly log: string; readonly seq: number; readonly head: string }[];
  },
): Promise<CutEffect> {
  const endOf = new Map(ends.map(({ log, seq }) => [log, seq]));
  let kept = 0;
  let cut = 0;
  let firstCutAtMs: number | null = null;
  for (const { log, seq } of logsOf(state, site as SiteId, classes)) {
    const end = endOf.get(log) ?? 0;
    kept += Math.min(end, seq);
    if (end >= seq) continue;
    cut += seq - end;
    const atMs = await writtenAtMs(state, { log, seq: end + 1 });
    if (atMs !== null && atMs < (firstCutAtMs ?? Infinity)) firstCutAtMs = atMs;
  }
  const records = await state.previewCut({
    site: site as SiteId,
    classes: classes === null ? undefined : (classes as readonly ClassName[]),
    ends: ends as readonly LogHead[],
  });
  return { kept, cut, firstCutAtMs, records: records.slice(0, MAX_RECORDS) };
}

function logsOf(state: State, site: SiteId, classes: readonly string[] | null) {
  return state
    .logHeads()
    .filter((fact) => fact.author === site && (classes?.includes(fact.class) ?? true));
}
