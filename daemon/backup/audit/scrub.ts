/**
 * Reads every shard that is listed here and compares it with its name, once in 30 days.
 *
 * Spread evenly over that time, and never faster than a bounded rate, so that nothing else waits
 * for the disk. A damaged shard is taken out of the way; whoever gets it back is told. What a pass
 * found stands in this site's `hold` log.
 */
import { z } from "zod";
import type { AuditPace } from "../../core/backup/audit-pace.ts";
import type { Store } from "../../core/store.ts";
import { decodeCbor, encodeCbor } from "../../../protocol/encoding/cbor.ts";
import { SCRUB_KEY } from "../../../protocol/logs/hold-record.ts";
import type { ShardId } from "../../../protocol/ids.ts";
import { hexId } from "../../../protocol/logs/record.ts";
import { RepeatedWork } from "../repeated-work.ts";
import { groupName } from "../store/lists/group-name.ts";
import type { Holder } from "../store/holder.ts";
import type { KnownList, LoadedList } from "../store/lists/list-store.ts";

const KEY = "backup/audit/scrub";
/** The most that is read for it, in bytes per second. */
const MAX_RATE = 16 * 1024 * 1024;
/** An empty store is looked at again after this part of the time. */
const IDLE_PARTS = 100;
/** The place is kept after so much running time; what was read since is read again after a crash. */
const KEEP_MS = 60_000;

const count = z.int().min(0);
const stored = z.object({
  /** The group that is being read, and its last shard that was. */
  group: z.string().max(200),
  after: hexId<ShardId>().nullable(),
  shards: count,
  bytes: count,
  damaged: count,
  missing: count,
});
type Pass = z.output<typeof stored>;
const NEW_PASS: Pass = { group: "", after: null, shards: 0, bytes: 0, damaged: 0, missing: 0 };

export interface ScrubOptions {
  readonly holder: Holder;
  readonly store: Store;
  readonly pace: () => AuditPace;
  /** A group lacks shards that it had. */
  readonly onLacking: (list: KnownList) => void;
}

export class Scrub {
  readonly #options: ScrubOptions;
  #pass: Pass;
  #list: LoadedList | undefined;
  #keptAtMs: number;
  readonly #steps: RepeatedWork;

  private constructor(options: ScrubOptions, pass: Pass) {
    this.#options = options;
    this.#pass = pass;
    const { clock, log } = options.holder;
    this.#keptAtMs = clock.monotonicMs();
    this.#steps = new RepeatedWork(clock, () =>
      this.#step()
        .catch((error: unknown) => {
          log.error("what is held could not be checked", { error: String(error) });
          return 0;
        })
        .then((bytes) => this.#gapMs(bytes)),
    );
  }

  static async start(options: ScrubOptions): Promise<Scrub> {
    const scrub = new Scrub(options, await loadPass(options.store));
    scrub.#steps.within(scrub.#gapMs(0));
    return scrub;
  }

  async stop(): Promise<void> {
    await this.#steps.stop();
    // On a full disk the next start reads some shards once more, nothing else.
    await this.#keep().catch(() => {});
  }

  /** So that all shards are spread over the time that a pass has. */
  #gapMs(readBytes: number): number {
    const { holder, pace } = this.#options;
    const shards = holder.lists.all().reduce((sum, { header }) => sum + header.shards, 0);
    const parts = shards === 0 ? IDLE_PARTS : shards + 1;
    return Math.max(pace().scrubMs / parts, (readBytes / MAX_RATE) * 1000);
  }

  /** Checks the next shard. @returns the bytes that were read. */
  async #step(): Promise<number> {
    const { holder, onLacking } = this.#options;
    const next = await this.#nextEntry();
    if (next === undefined) {
      await this.#endPass();
      return 0;
    }
    const { list, entry } = next;
    const { owner, set } = list.header;
    const name = { owner, set, shard: entry.shard };
    const size = await holder.shards.sizeOf(name);
    const isDamaged = size !== undefined && (await holder.shards.discardDamaged(name));
    const isMissing = size === undefined && (await wasComplete(holder, list, entry.shard));
    const { shards, bytes, damaged, missing } = this.#pass;
    this.#pass = {
      group: groupName(list.header),
      after: entry.shard,
      shards: shards + 1,
      bytes: bytes + (size ?? 0),
      damaged: damaged + (isDamaged ? 1 : 0),
      missing: missing + (isMissing ? 1 : 0),
    };
    if (isDamaged || isMissing) {
      const what = isDamaged ? "damaged" : "missing";
      holder.log.error(`a stored shard is ${what}; another holder has to give it`, { ...name });
      onLacking(list);
      await this.#report();
    }
    if (holder.clock.monotonicMs() - this.#keptAtMs >= KEEP_MS) await this.#keep();
    return size ?? 0;
  }

  /** The first shard beyond the place, in the order of groups and shards. */
  async #nextEntry() {
    const { lists } = this.#options.holder;
    const { group: at, after } = this.#pass;
    const groups = lists.all().toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    for (const known of groups) {
      const name = nameOf(known);
      if (name < at) continue;
      const { owner, set, group } = known.header;
      if (this.#list?.id !== known.id) this.#list = await lists.load(owner, set, group);
      const list = this.#list;
      const entry = list?.entries.find(({ shard }) => name > at || after === null || shard > after);
      if (list !== undefined && entry !== undefined) return { list, entry };
    }
    this.#list = undefined;
    return undefined;
  }

  async #endPass(): Promise<void> {
    if (this.#pass.shards > 0) await this.#report();
    this.#pass = NEW_PASS;
    await this.#keep();
  }

  async #report(): Promise<void> {
    const { state, transport, clock } = this.#options.holder;
    if (state.meshId === undefined || !state.authority().sites.has(transport.self)) return;
    const { shards, bytes, damaged, missing } = this.#pass;
    const value = { atMs: clock.wallMs(), shards, bytes, damaged, missing };
    await state.write([{ class: "hold", key: SCRUB_KEY, value }]);
  }

  async #keep(): Promise<void> {
    this.#keptAtMs = this.#options.holder.clock.monotonicMs();
    const value = encodeCbor(this.#pass);
    await this.#options.store.write([{ kind: "put", key: KEY, value }], "cached");
  }
}

/** Whether the shard was here once: what is still on its way is not missing. */
async function wasComplete(
  { lists, transport, keepsLocal }: Holder,
  { header }: LoadedList,
  shard: ShardId,
): Promise<boolean> {
  const { owner, set, group } = header;
  if (header.by === transport.self) return keepsLocal(set);
  const complete = await lists.load(owner, set, group, "complete");
  return complete?.entries.some((entry) => entry.shard === shard) ?? false;
}

async function loadPass(store: Store): Promise<Pass> {
  const bytes = await store.get(KEY);
  try {
    return bytes === undefined ? NEW_PASS : stored.parse(decodeCbor(bytes, 1024));
  } catch {
    return NEW_PASS;
  }
}

function nameOf({ header }: KnownList): string {
  return groupName(header);
}
