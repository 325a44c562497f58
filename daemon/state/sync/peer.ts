/** What synchronisation remembers of one member while this node runs. */
import type { SiteId } from "../../../protocol/ids.ts";
import type { Clock } from "../../core/clock.ts";
import { Pace } from "./pace.ts";
import { PushQueue } from "./push.ts";

/** For each peer: half a millisecond of one core an item, so a flood takes a quarter of it. */
const PACE = { perSecond: 500, burst: 5_000 } as const;

export class Peer {
  readonly id: SiteId;
  readonly pace: Pace;
  readonly queue = new PushQueue();
  readonly open = { round: 0, push: 0 };
  linked = false;
  pushRuns = false;
  /** When its state was last compared with ours, on this link. */
  comparedAtMs: number | undefined;
  digestEqual = false;
  refused = 0;

  constructor(id: SiteId, clock: Clock) {
    this.id = id;
    this.pace = new Pace(clock, PACE);
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
