/**
 * How often holders are asked, and how long they are waited for; a site's configuration may say
 * otherwise. All times are running time of the site that asks, in milliseconds.
 */
export interface AuditPace {
  /** Each holder of a set is asked once in this time. */
  readonly everyMs: number;
  /** Each shard is asked for whole once in this time. */
  readonly wholeMs: number;
  /** Each shard that is held here is read and checked once in this time. */
  readonly scrubMs: number;
  /** A silent site, and a question to one that is there, are waited for so long. */
  readonly patienceMs: number;
  /** The next holder in the order has a copy made when nothing came of it for so long. */
  readonly takeoverMs: number;
}

/** Between two attempts, and two looks at what was not answered right: half an hour. */
export function retryMs({ everyMs }: AuditPace): number {
  return everyMs / 48;
}

/** A missing copy is left to the owner's site for this long: ten minutes. */
export function settleMs({ everyMs }: AuditPace): number {
  return everyMs / 144;
}

/** Between two looks at what is due: five minutes at the usual pace. */
export function tickMs({ everyMs }: AuditPace): number {
  return Math.min(5 * 60_000, Math.max(100, everyMs / 288));
}

/** In so many rounds every shard has been asked for whole. */
export function roundsOfWhole({ everyMs, wholeMs }: AuditPace): number {
  return Math.max(1, Math.ceil(wholeMs / everyMs));
}
