/**
 * A stolen operator key: it suspends everybody, enrols boxes that nobody has, gives rights to its
 * friend, votes for both sides, and goes on after it was expelled.
 */
import { encodeCbor } from "../../../protocol/encoding/cbor.ts";
import { idOf, type OperatorId, type SiteId } from "../../../protocol/ids.ts";
import { sign } from "../../../protocol/keys/signature.ts";
import { decodeStatement, encodeStatement } from "../../../protocol/statements/statement.ts";
import { testKey } from "../../fakes/founding.ts";
import { enrolment, SHARED_ZONE, STATEMENT_LIMITS } from "../found-mesh.ts";
import type { Content } from "../operator.ts";
import { RawLog } from "../raw-log.ts";
import type { SimulatedSite } from "../simulated-site.ts";
import type { Fault, World } from "../world.ts";
import { propose, voteAt } from "./honest-operators.ts";

/** Where the thief works: at any site that still runs. */
function place(world: World): SimulatedSite {
  return world.random.pick(world.up);
}

async function say(world: World, site: SimulatedSite, content: Content): Promise<void> {
  if (site.isUp) await world.tell(site, [world.rogue.sign(site.state, content)]);
}

/** Whether the mesh has expelled it, as far as this site knows. */
function isExpelled(world: World, site: SimulatedSite): boolean {
  return !site.state.authority().operators.has(world.rogue.id);
}

export const rogueOperator: readonly Fault[] = [
  {
    weight: 2,
    happen: async (world) => {
      const site = place(world);
      const sites: (SiteId | OperatorId)[] = world.honest.map(({ id }) => id);
      const operators = world.operators.map(({ id }) => id);
      for (const key of [...sites, ...operators]) {
        await say(world, site, { kind: "SUSPEND", key, logs: [], chain: null });
      }
      world.sometimes.reached("one operator suspends everybody");
    },
  },
  {
    weight: 3,
    happen: async (world) => {
      const { random, byzantine, mesh } = world;
      const site = place(world);
      const name = `fake-${random.below(1_000)}`;
      const key = testKey(`${world.seed} ${name}`);
      await say(world, site, enrolment(mesh, name, key));
      const log = new RawLog({ mesh, key, class: "site", part: 0, salt: random.bytes(16) });
      const first = log.snap(1);
      const value = { name: "fake", ports: [], addresses: [] };
      const second = log.update(2, [["service/fake", { lamport: 2, supersedes: [], value }]]);
      await byzantine.push(site, [first.bytes, second.bytes]);
      world.sometimes.reached("a box that nobody has is enrolled");
    },
  },
  {
    weight: 2,
    happen: async (world) => {
      const grant = {
        site: world.byzantine.site.id,
        class: "zone",
        selector: SHARED_ZONE,
      } as const;
      await say(world, place(world), { kind: "GRANT", ...grant });
    },
  },
  {
    weight: 2,
    happen: async (world) => {
      const site = place(world);
      const ends = site.state.authority().suspensions.filter(({ by }) => by !== world.rogue.id);
      if (ends.length === 0) return;
      await say(world, site, { kind: "UNSUSPEND", ends: ends.slice(0, 64).map(({ id }) => id) });
      world.sometimes.reached("a suspect sets itself free");
    },
  },
  {
    weight: 1,
    happen: async (world) => {
      const site = place(world);
      const by = world.random.pick([world.rogue, world.flooder]);
      for (let count = 0; count < STATEMENT_LIMITS.operatorStatements && site.isUp; count++) {
        const grant = { site: world.byzantine.site.id, class: "policy", selector: `p${count}` };
        const flood = by.sign(site.state, { kind: "GRANT", ...grant, class: "policy" });
        await world.tell(site, [flood]);
      }
      world.sometimes.reached("a flood of statements");
    },
  },
  {
    weight: 5,
    happen: async (world) => {
      const site = place(world);
      const expelled = isExpelled(world, site);
      if (expelled && site.state.authority().proposals.every(({ status }) => status !== "open")) {
        const { operators } = site.state.authority();
        const left = world.operators.filter(({ id }) => operators.has(id));
        const [by] = left;
        if (by !== undefined)
          await world.tell(site, [propose(world, by, site, { operators: left })]);
        if (!site.isUp) return;
      }
      const votes = await voteAt(world, world.rogue, site, () => true);
      if (votes > 0 && expelled) world.sometimes.reached("an expelled operator votes");
      if (!expelled || !site.isUp) return;
      // An epoch of an old number, as if it had never been expelled.
      const body = propose(world, world.rogue, site, { operators: [world.rogue] }).body;
      if (body.kind !== "EPOCH" || !("parents" in body)) return;
      const old = { ...body, n: 1, parents: [world.mesh] };
      const {
        v: _v,
        mesh: _mesh,
        by: _by,
        seq: _seq,
        prev: _prev,
        lamport: _lamport,
        ...content
      } = old;
      await say(world, site, content);
      world.sometimes.reached("an expelled operator goes back to an old epoch");
    },
  },
  {
    weight: 2,
    happen: async (world) => {
      const site = place(world);
      if (site.isUp) {
        await world.tell(site, [propose(world, world.rogue, site, { operators: [world.rogue] })]);
      }
      world.sometimes.reached("a thief proposes itself alone");
    },
  },
  {
    weight: 2,
    happen: async (world) => {
      const [one, other] = world.random.shuffled(world.up);
      if (one === undefined || other === undefined) return;
      // Signed on the same knowledge, brought in at two places: its chain forks.
      const { state } = one;
      const [left, right] = ["p-left", "p-right"].map((selector) =>
        world.rogue.sign(state, {
          kind: "GRANT",
          site: world.byzantine.site.id,
          class: "policy",
          selector,
        }),
      );
      if (left === undefined || right === undefined) return;
      await world.tell(one, [left]);
      await world.tell(other, [right]);
      world.sometimes.reached("a chain of statements forks");
    },
  },
  {
    weight: 2,
    happen: async (world) => {
      const site = place(world);
      const { state } = site;
      // A kind of a later version: it has no effect here and has to survive as it is.
      const head = state.chainHead(world.rogue.id);
      const by = idOf<OperatorId>(world.rogue.key.publicKey);
      const bytes = encodeCbor({
        v: 1,
        kind: "MOTTO",
        mesh: Buffer.from(world.mesh, "hex"),
        by: Buffer.from(by, "hex"),
        seq: head.seq,
        prev: Buffer.from(head.prev, "hex"),
        lamport: head.lamport,
        text: "a field that nobody here knows",
      });
      const signature = sign(world.rogue.key, "pleach/statement-motto/1", bytes);
      const signatures = [{ key: world.rogue.key.publicKey, signature }];
      await world.tell(site, [decodeStatement(encodeStatement({ bytes, signatures }))]);
      world.sometimes.reached("a statement of a later version");
    },
  },
];
