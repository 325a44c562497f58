/** One visit to a holder: what is open, what is suspected, and the group asked shard by shard. */
import {
  isOpen,
  judgeCensus,
  judgeOpen,
  judgeSuspects,
  unanswered,
  type AuditProgress,
} from "../../core/backup/audit-progress.ts";
import { fromHex, type SiteId } from "../../../protocol/ids.ts";
import type { Holder } from "../store/holder.ts";
import type { ShardName } from "../store/shards/shard-store.ts";
import { Visit, type Judged } from "./ask.ts";
import type { AskedSet } from "./audit-set.ts";

/** A visit is left off after this, where it stands: others wait for their turn, too. */
const LONGEST_VISIT_MS = 10 * 60_000;
/** Shards asked for in one part of a census: its place is kept after each. */
const CENSUS_PART = 64;

export interface VisitPlan {
  readonly holder: Holder;
  readonly site: SiteId;
  readonly asked: AskedSet;
  /** Whether it is time to ask again for what was not answered right. */
  readonly suspectsToo: boolean;
  readonly onDamaged: (name: ShardName) => void;
  /** Keeps what is known so far, between the parts of a visit. */
  readonly keep: (progress: AuditProgress) => Promise<void>;
  /** Ends the visit at once; what was not answered by then says nothing about the holder. */
  readonly signal: AbortSignal;
}

/** @returns how far the audit is then. Never rejects for what the holder does. */
export async function visitHolder(plan: VisitPlan, before: AuditProgress): Promise<AuditProgress> {
  const { holder, site, asked, onDamaged } = plan;
  const { clock, log, transport } = holder;
  let progress = before;
  const step = async (next: AuditProgress): Promise<void> => {
    progress = next;
    await plan.keep(next);
  };
  if (!transport.links().includes(site)) {
    await step(unanswered(progress, "offline", clock.wallMs()));
    return progress;
  }
  try {
    const of = { ...asked, nonce: fromHex(before.nonce) };
    const endsMs = clock.monotonicMs() + LONGEST_VISIT_MS;
    const enough = (): boolean => plan.signal.aborted || clock.monotonicMs() >= endsMs;
    await Visit.with(holder, site, of, onDamaged, plan.signal, async (visit) => {
      const judged = (answers: readonly Judged[]): Promise<void> => {
        return step(judgeOpen(progress, answers, clock.wallMs()));
      };
      await visit.ask(progress.open, judged, enough);
      while (progress.census.groups.length > 0 && !enough()) {
        await askCensus(plan, visit, progress, step);
      }
      if (plan.suspectsToo && !isOpen(progress)) {
        await askSuspects(plan, visit, progress, step, enough);
      }
    });
  } catch (error) {
    if (plan.signal.aborted) return progress;
    const isThere = transport.links().includes(site);
    log.info("a holder did not answer an audit", { site, set: asked.set, error: String(error) });
    await step(unanswered(progress, isThere ? "refused" : "offline", clock.wallMs()));
  }
  return progress;
}

async function askCensus(
  { holder, asked }: VisitPlan,
  visit: Visit,
  progress: AuditProgress,
  step: (next: AuditProgress) => Promise<void>,
): Promise<void> {
  const { groups, after } = progress.census;
  const group = groups[0] ?? 0;
  const list = await holder.lists.load(asked.owner, asked.set, group);
  const left = (list?.entries ?? []).filter(({ shard }) => after === null || shard > after);
  const part = left.slice(0, CENSUS_PART).map((entry) => ({ group, ...entry, leaf: null }));
  const judged: Judged[] = [];
  await visit.ask(part, async (answers) => void judged.push(...answers));
  const last = left.length <= CENSUS_PART ? null : (part.at(-1)?.shard ?? null);
  await step(judgeCensus(progress, judged, last, holder.clock.wallMs()));
}

async function askSuspects(
  { holder }: VisitPlan,
  visit: Visit,
  progress: AuditProgress,
  step: (next: AuditProgress) => Promise<void>,
  enough: () => boolean,
): Promise<void> {
  const items = progress.suspects.map(({ group, shard, sizeBytes }) => {
    return { group, shard, sizeBytes, leaf: null };
  });
  const judged: Judged[] = [];
  await visit.ask(items, async (answers) => void judged.push(...answers), enough);
  const answers = judged.map(({ item, verdict }) => ({ shard: item.shard, verdict }));
  await step(judgeSuspects(progress, answers, holder.clock.wallMs()));
}
