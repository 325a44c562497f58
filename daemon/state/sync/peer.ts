/** What synchronisation remembers of one member while this node runs. */
import type { SiteId } from "../../../protocol/ids.ts";
import type { Clock } from "../../core/clock.ts";
import { Pace } from "./pace.ts";
import { PushQueue } from "./push.ts";

/** For each peer: half a millisecond of one core an item, so a flood takes a quarter of it. */
const TAKE_PACE = { perSecond: 500, burst: 5_000 } as const;
/** In 4 KiB that it is answered with: a whole large state at once, then 8 MiB a second. */
const GIVE_PACE = { perSecond: 2_048, burst: 16_384 } as const;

export class Peer {
  readonly id: SiteId;
  /** Pays for what the peer sends, on all its channels. */
  readonly takes: Pace;
  /** Pays for what it is answered with. */
  readonly gives: Pace;
  readonly queue = new PushQueue();
  /** Exchanges that it opened and that go on; `new` before it has said for what. */
  readonly open = { new: 0, round: 0, push: 0 };
  linked = false;
  pushRuns = false;
  /** When its state was last compared with ours, on this link. */
  comparedAtMs: number | undefined;
  digestEqual = false;
  refused = 0;

  constructor(id: SiteId, clock: Clock) {
    this.id = id;
    this.takes = new Pace(clock, TAKE_PACE);
    this.gives = new Pace(clock, GIVE_PACE);
  }

  /** Forgets what held for the link before. */
  relink(linked: boolean): void {
    this.linked = linked;
    this.queue.clear();
    this.comparedAtMs = undefined;
    this.digestEqual = false;
  }

  compared(equal: boolean, nowMs: number): void {
    this.comparedAtMs = nowMs;
    this.digestEqual = equal;
  }
}
