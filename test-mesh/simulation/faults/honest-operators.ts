/**
 * What operators decide all day: they hold keys up, let them go on, give and take rights, and vote on
 * who they are. Each signs at some site, on what that site knows.
 */
import assert from "node:assert/strict";
import type { SignedStatement } from "../../../protocol/statements/statement.ts";
import type { EpochBody } from "../../../protocol/statements/epoch-statement.ts";
import type { LogHead } from "../../../protocol/logs/log-head.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import { MAX_SUSPENDED_LOGS } from "../../../protocol/statements/suspend-statement.ts";
import type { State } from "../../../daemon/state/state.ts";
import type { Content, Operator } from "../operator.ts";
import type { SimulatedSite } from "../simulated-site.ts";
import type { Fault, World } from "../world.ts";

/** What an operator decides about the mesh, beyond who signs and which epochs it goes on from. */
export interface EpochWish {
  readonly operators: readonly Operator[];
  /** Sites to be expelled, each cut at what the signing site holds. */
  readonly revokes?: readonly SiteId[];
  readonly features?: readonly string[];
}

/** The ends of all logs of a site as a node knows them. */
export function headsOf(state: State, site: SiteId): LogHead[] {
  return state
    .logHeads()
    .filter(({ author }) => author === site)
    .map(({ log, seq, head }) => ({ log, seq, head }));
}

/** An EPOCH that goes on from what counts at this site, and ends every open suspension. */
export function propose(
  world: World,
  by: Operator,
  { state }: SimulatedSite,
  wish: EpochWish,
): SignedStatement {
  const { epoch, suspensions, recovery } = state.authority();
  // Whoever may be dropped by any branch; a key that signed nothing stands with the mesh as its end.
  const chains = [...world.operators, world.rogue, world.flooder].map(({ id }) => {
    const { seq, prev } = state.chainHead(id);
    return { by: id, seq: seq - 1, head: prev };
  });
  const content: Omit<EpochBody, "v" | "mesh" | "by" | "seq" | "prev" | "lamport"> = {
    kind: "EPOCH",
    n: epoch.n + 1,
    parents: [...epoch.ids].toSorted(),
    operators: wish.operators.map(({ id, name }) => ({ key: id, name })),
    threshold: Math.floor(wish.operators.length / 2) + 1,
    recovery: { keys: [...recovery.keys], threshold: recovery.threshold },
    features: [...(wish.features ?? [])].toSorted(),
    rules: 1,
    chains,
    revokes: (wish.revokes ?? []).map((site) => ({ site, logs: headsOf(state, site) })),
    unsuspends: suspensions.map(({ id }) => id),
  };
  return by.sign(state, content);
}

/** Votes for whatever this site shows as open or contested and the operator has not voted for. */
export async function voteAt(
  world: World,
  by: Operator,
  site: SimulatedSite,
  approves: (body: EpochBody) => boolean,
): Promise<number> {
  let votes = 0;
  for (const { id, body, votes: voters, status } of site.state.authority().proposals) {
    const isOpen = status === "open" || status === "contested";
    if (!isOpen || voters.includes(by.id) || !approves(body)) continue;
    if (!site.isUp) break;
    await world.tell(site, [by.sign(site.state, { kind: "VOTE", epoch: id })]);
    votes += 1;
  }
  return votes;
}

function pickSite(world: World): SimulatedSite | undefined {
  const members = world.up.filter((site) => site.state.authority().isMember(site.id));
  return members.length === 0 ? undefined : world.random.pick(members);
}

export const honestOperators: readonly Fault[] = [
  {
    weight: 4,
    happen: async (world) => {
      const site = pickSite(world);
      if (site === undefined) return;
      const { random, byzantine, rogue } = world;
      const by = random.pick(world.operators);
      const { state } = site;
      const isSite = random.chance(0.6);
      const { seq, prev: head } = state.chainHead(rogue.id);
      const chain = seq === 1 ? null : { seq: seq - 1, head: head as SignedStatement["id"] };
      const logs = headsOf(state, byzantine.site.id).slice(0, MAX_SUSPENDED_LOGS);
      const content: Content = isSite
        ? { kind: "SUSPEND", key: byzantine.site.id, logs, chain: null }
        : { kind: "SUSPEND", key: rogue.id, logs: [], chain };
      // Entries that are on the way into the state now are no work of the suspension.
      await world.time.settle();
      if (!site.isUp || site.state !== state) return;
      const before = state.view().hash;
      const known = state.statements().length;
      const suspend = by.sign(state, content);
      const told = await world.tell(site, [suspend]);
      if (told && site.isUp && site.state === state && isSite) {
        // A proof of a fork that came at the same moment does change something.
        if (state.statements().length === known + 1) {
          assert.equal(state.view().hash, before, "SUSPEND alone changes nothing accepted");
        }
        const author = byzantine.site.id;
        const ends = new Map(headsOf(state, author).map(({ log, seq }) => [log, seq]));
        world.heldUp.push({ site, author, suspension: suspend.id, ends });
      }
      world.sometimes.reached(isSite ? "a site is suspended" : "an operator is suspended");
    },
  },
  {
    weight: 3,
    happen: async (world) => {
      const site = pickSite(world);
      const open = site?.state.authority().suspensions ?? [];
      if (site === undefined || open.length === 0) return;
      const { id } = world.random.pick(open);
      const by = world.random.pick(world.operators);
      await world.tell(site, [by.sign(site.state, { kind: "UNSUSPEND", ends: [id] })]);
      world.sometimes.reached("a suspension is ended");
    },
  },
  {
    weight: 4,
    happen: async (world) => {
      const site = pickSite(world);
      if (site === undefined) return;
      const { random } = world;
      const by = random.pick(world.operators);
      const [to, recordClass] = [random.pick(world.honest).id, "policy"] as const;
      const grant = { kind: "GRANT", site: to, class: recordClass, selector: null } as const;
      await world.tell(site, [by.sign(site.state, grant)]);
      world.sometimes.reached("a grant");
    },
  },
  {
    weight: 3,
    happen: async (world) => {
      const site = pickSite(world);
      if (site === undefined) return;
      const { random, byzantine } = world;
      const { grants } = site.state.authority();
      const of = random.pick([byzantine.site.id, random.pick(world.honest).id]);
      const ends = grants.filter((grant) => grant.site === of && grant.class === "zone");
      if (ends.length === 0) return;
      const by = random.pick(world.operators);
      const content: Content = {
        kind: "UNGRANT",
        ends: ends.map(({ statement }) => statement).toSorted(),
        heads: headsOf(site.state, of),
      };
      await world.tell(site, [by.sign(site.state, content)]);
      world.sometimes.reached("a grant is taken back");
    },
  },
  {
    weight: 2,
    happen: async (world) => {
      const site = pickSite(world);
      if (site === undefined) return;
      const by = world.random.pick(world.operators);
      const { random, byzantine, operators, rogue, flooder } = world;
      // Half of them expel who has to go, while all kinds of faults go on.
      const expels = random.chance(0.5) && site.state.authority().sites.has(byzantine.site.id);
      const wish = expels
        ? { operators, revokes: [byzantine.site.id] }
        : { operators: [...operators, rogue, flooder], features: ["bells"] };
      const isBack = !expels && !site.state.authority().operators.has(rogue.id);
      // Who was expelled cannot come back.
      await world.tell(site, [propose(world, by, site, isBack ? { operators } : wish)]);
      world.sometimes.reached("an epoch is proposed");
    },
  },
  {
    weight: 8,
    happen: async (world) => {
      const site = pickSite(world);
      if (site === undefined) return;
      const by = world.random.pick(world.operators);
      const honest = new Set(world.operators.map(({ id }) => id as string));
      // The last of them votes for whatever it is shown.
      const isCareless = by === world.operators.at(-1);
      const approves = (body: EpochBody): boolean => isCareless || honest.has(body.by);
      if ((await voteAt(world, by, site, approves)) > 0) world.sometimes.reached("a vote");
    },
  },
];
