/**
 * What honest people do after the faults: they agree on who decides, and expel who must go.
 *
 * They sign as they always do, at some site and on what it knows, and wait for the others to hear it.
 */
import type { SiteId } from "../../protocol/ids.ts";
import { propose, voteAt } from "./faults/honest-operators.ts";
import type { SimulatedSite } from "./simulated-site.ts";
import type { World } from "./world.ts";

const MAX_STEPS = 12;
/** Longer than a decision takes to get everywhere, and acknowledgements back. */
const STEP_MS = 20_000;

/** @throws Error when people cannot agree, though more than half of them want the same. */
export async function settle(world: World, sites: readonly SimulatedSite[]): Promise<void> {
  const { random, operators, rogue, flooder, recovery, sometimes, time, byzantine } = world;
  const expels = random.chance(0.7);
  const byRecovery = random.chance(0.3);
  for (let step = 0; step < MAX_STEPS; step++) {
    await time.advance(STEP_MS);
    const site = random.pick(sites);
    const authority = site.state.authority();
    const { contested } = authority.epoch;
    const suspects = [...authority.sites.values()].filter(({ operator, siteId }) => {
      const isOurs = world.honest.some(({ id }) => id === siteId);
      return (operator === rogue.id && !isOurs) || (expels && siteId === byzantine.site.id);
    });
    const isSettled =
      !contested &&
      suspects.length === 0 &&
      authority.suspensions.length === 0 &&
      !authority.operators.has(rogue.id) &&
      !authority.operators.has(flooder.id);
    if (isSettled) return;
    if (contested) sometimes.reached("a conflict is settled");
    const revokes: SiteId[] = suspects.map(({ siteId }) => siteId);
    const wish = { operators, revokes, features: [`step-${step}`] };
    const [first, ...others] = contested && byRecovery ? recovery : operators;
    if (first === undefined) throw new RangeError("nobody decides");
    if (contested && byRecovery) sometimes.reached("recovery keys decide");
    const proposal = propose(world, first, site, wish);
    await world.tell(site, [proposal]);
    await time.advance(STEP_MS);
    for (const by of others) {
      const at = random.pick(sites);
      const isOurs = (body: { readonly by: string; readonly n: number }): boolean =>
        body.by === first.id && body.n === authority.epoch.n + 1;
      await voteAt(world, by, at, isOurs);
    }
    if (revokes.length > 0) sometimes.reached("a site is expelled");
    sometimes.reached("an epoch is agreed on");
  }
  await time.advance(STEP_MS);
  const { epoch, suspensions, operators: left, proposals } = random.pick(sites).state.authority();
  const told = proposals.map(
    ({ body, status, reason, votes }) => `${body.n} ${status} ${reason} ${votes.length}`,
  );
  throw new Error(
    `no agreement: epoch ${epoch.n} of ${epoch.ids.length}, ${suspensions.length} suspensions, ${left.size} operators, ${told.join("; ")}`,
  );
}
