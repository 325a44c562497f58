/**
 * Faults that somebody might make in the daemon, each a change in one place. The simulation has to
 * catch every one of them, or it would not catch the next one either.
 */
export interface PlantedFault {
  readonly name: string;
  /** From the root of the tree. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly find: string;
  readonly replace: string;
}

export const PLANTED_FAULTS: readonly PlantedFault[] = [
  {
    name: "entries are taken without a look at their signature",
    file: "daemon/state/state-replica.ts",
    find: '("known" as const) : checkEnvelope(unchecked);',
    replace: '("known" as const) : unchecked;',
  },
  {
    name: "what a revocation cuts off counts",
    file: "daemon/state/limits/log-limits.ts",
    find: "return authority.logLimit(author, log);",
    replace: 'return "open";',
  },
  {
    name: "changes are made known before they are stored",
    file: "daemon/state/commit-queue.ts",
    find: "for (const job of group) done.push(await job.run());",
    replace: "for (const job of group) (await job.run())();",
  },
  {
    name: "changes are made known before they are synced",
    file: "daemon/state/commit-queue.ts",
    find: 'await this.#store.write(changes, "durable");',
    replace: 'await this.#store.write(changes, "cached");',
  },
  {
    name: "a log is reused after a start",
    file: "daemon/state/own/open-log.ts",
    find: "this.#salt = clock.random(16);",
    replace: "this.#salt = clock.random(16).fill(0);",
  },
  {
    name: "an entry from the future is refused by the own clock",
    file: "daemon/state/intake.ts",
    find: "if (this.#setup.quarantine.has(id)) return",
    replace:
      'if (header.wallMs > this.#setup.clock.wallMs() + 600_000) return refused("E-STATE-RIGHT");\n    if (this.#setup.quarantine.has(id)) return',
  },
  {
    name: "a new log does not take up the ones before it",
    file: "daemon/state/own/open-log.ts",
    find: "const said = { ...word, started: this.started,",
    replace: "const said = { ...word, retires: [], started: this.started,",
  },
  {
    name: "a suspended author is shown",
    file: "daemon/state/limits/freezes.ts",
    find: "if (!authority.isSuspended(author)) return undefined;",
    replace: "if (authority.isSuspended(author) || author !== undefined) return undefined;",
  },
  {
    name: "a fork is not noticed",
    file: "daemon/state/limits/fork-watch.ts",
    find: "return rivals(held, their).length > 0;",
    replace: "return rivals(held, their).length > 99;",
  },
  {
    name: "logs are dropped as soon as they count no more",
    file: "daemon/state/keep/pruning.ts",
    find: "else if (held.storedSeq > 0 && this.#isTakenUp(held, beforeMs)) await this.drop(held);",
    replace: "else await this.drop(held);",
  },
  {
    name: "records are shown without a right",
    file: "daemon/state/view-cache.ts",
    find: "candidates.filter(({ author, key }) => authority.mayWrite(author, recordClass, key));",
    replace: "candidates.filter(({ key }) => key.length + authority.rules > 0);",
  },
  {
    name: "votes of those who may not vote count",
    file: "daemon/core/authority/epochs.ts",
    find: "const count = votes.filter((key) => parent.operators.has(key as OperatorId)).length;",
    replace: "const count = signers.length + Number(parent.n < 0);",
  },
  {
    name: "a version stays beside the one that replaced it",
    file: "daemon/core/logs/merge.ts",
    find: "if (superseded.has(candidate.id)) continue;",
    replace: "if (superseded.size < 0) continue;",
  },
  {
    name: "statements are taken without a look at their signature",
    file: "protocol/statements/statement.ts",
    find: "if (!verify(key, domainOf(body.kind), bytes, signature)) {",
    replace: "if (!verify(key, domainOf(body.kind), bytes, signature) && keys.length > 99) {",
  },
];
