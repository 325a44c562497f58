/** Authority is a function of the set of statements: every order gives the same. */
import assert from "node:assert/strict";
import type { Authority } from "../../../daemon/core/authority/authority.ts";
import { authorize } from "../../../daemon/core/authority/authorize.ts";
import { encodeStatement } from "../../../protocol/statements/statement.ts";
import { FreshState } from "../fresh-state.ts";
import type { Healed } from "../heal.ts";

/** All of it that people and records depend on. */
function summaryOf(authority: Authority) {
  const { epoch, operators, threshold, recovery, features, rules, sites, endedSites } = authority;
  return {
    epoch,
    operators: [...operators.keys()].toSorted(),
    threshold,
    recovery,
    features: [...features].toSorted(),
    rules,
    sites,
    endedSites,
    grants: authority.grants,
    endedGrants: authority.endedGrants,
    suspensions: authority.suspensions,
    forkedLogs: authority.forkedLogs,
    proposals: authority.proposals,
    idle: authority.idle,
  };
}

export async function statementsCommute({ sites, random }: Healed): Promise<void> {
  const [first] = sites;
  assert.ok(first !== undefined);
  const { state } = first;
  const expected = summaryOf(authorize(state.statements()));
  assert.deepEqual(summaryOf(authorize(random.shuffled(state.statements()))), expected);
  for (const site of sites) {
    assert.deepEqual(summaryOf(site.state.authority()), expected, `${site.name} has it so, too`);
  }
  // Taken in one by one, those that come too early wait, and the set ends the same: where signers
  // are beyond their limits, once nothing enters any more.
  const fresh = new FreshState();
  const statements = random.shuffled(state.statements());
  await fresh.start();
  for (let before; before !== fresh.state.replica.statementDigest();) {
    before = fresh.state.replica.statementDigest();
    for (const statement of statements) await fresh.feed([encodeStatement(statement)], []);
  }
  assert.equal(fresh.state.replica.statementDigest(), state.replica.statementDigest());
}
