/**
 * Three versions in one mesh: this one, one that knows less, one that knows more. They agree on what
 * all of them know, and what only some know passes through the others bit by bit.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { readEnvelope } from "../../protocol/logs/envelope.ts";
import { fromHex, idOf, type SiteId, type StatementId } from "../../protocol/ids.ts";
import type { RecordClass } from "../../protocol/logs/record-class.ts";
import * as statementModule from "../../protocol/statements/statement.ts";
import { FakeTime } from "../fakes/clock.ts";
import { Founding, testKey } from "../fakes/founding.ts";
import { resignStatement } from "../fakes/resign.ts";
import { entriesOf } from "../fakes/state-node.ts";
import { FakeNetwork } from "../fakes/transport.ts";
import * as siteModule from "../simulation/simulated-site.ts";
import { buildVariant, type Variant } from "./variant.ts";

type Site = siteModule.SimulatedSite;
interface Version {
  readonly SimulatedSite: typeof siteModule.SimulatedSite;
  readonly decodeStatement: typeof statementModule.decodeStatement;
}

const NAMES = ["plus", "minus", "now", "far"] as const;
const SHARED: readonly RecordClass[] = ["site", "offer", "place", "hold", "zone", "policy"];
/** A class that the newer version knows. */
const METRIC = "metric" as RecordClass;
const LIMIT_MS = 60_000;

const current: Version = { ...siteModule, ...statementModule };
let older: Variant;
let newer: Variant;

before(async () => {
  // Without the class of notes, and without UNGRANT.
  older = await buildVariant("older", [
    {
      file: "protocol/logs/record-class.ts",
      from: 'OWN_CLASSES = ["site", "offer", "place", "hold", "note"]',
      to: 'OWN_CLASSES = ["site", "offer", "place", "hold"]',
    },
    { file: "protocol/statements/statement.ts", from: "  UNGRANT: ungrantBody,\n", to: "" },
  ]);
  // With one class more, a kind of statement more, and a field in the headers of its entries.
  newer = await buildVariant("newer", [
    {
      file: "protocol/logs/record-class.ts",
      from: 'OWN_CLASSES = ["site", "offer", "place", "hold", "note"]',
      to: 'OWN_CLASSES = ["site", "offer", "place", "hold", "note", "metric"]',
    },
    {
      file: "protocol/statements/statement.ts",
      from: "  GRANT: grantBody,\n",
      to: '  GRANT: grantBody,\n  DECREE: z.object({ ...statementHeadFields, kind: z.literal("DECREE"), what: z.string() }),\n',
    },
    {
      file: "protocol/logs/envelope.ts",
      from: "const header = encodeCbor(wire.data as CborValue);",
      to: 'const header = encodeCbor({ ...(wire.data as object), hint: "of a later version" } as CborValue);',
    },
  ]);
});

after(async () => {
  await older.remove();
  await newer.remove();
});

/** A chain of sites in which each hears only from its neighbours: plus, minus, now, far. */
async function chain() {
  const versions: Readonly<Record<(typeof NAMES)[number], Version>> = {
    plus: await versionOf(newer),
    minus: await versionOf(older),
    now: current,
    far: await versionOf(newer),
  };
  const time = new FakeTime(1);
  const founding = new Founding("versions");
  const ids = NAMES.map((name) => founding.enrol(name));
  const isNear = (a: string, b: string): boolean =>
    Math.abs(ids.indexOf(a as SiteId) - ids.indexOf(b as SiteId)) === 1;
  const network = new FakeNetwork({ time, seed: 1, dials: isNear });
  const sites = new Map<string, Site>();
  for (const [index, name] of NAMES.entries()) {
    const id = ids[index];
    assert.ok(id !== undefined);
    const site = new versions[name].SimulatedSite({ name, id, time, network });
    await site.start();
    sites.set(name, site);
  }
  const site = (name: (typeof NAMES)[number]): Site => {
    const named = sites.get(name);
    assert.ok(named !== undefined);
    return named;
  };
  /** Statements as bytes, each read by the version that gets them. */
  const tell = async (name: (typeof NAMES)[number], statements: readonly Uint8Array[]) => {
    const read = statements.map((bytes) => versions[name].decodeStatement(bytes));
    const { refused } = await site(name).state.addStatements(read);
    assert.deepEqual(refused, []);
  };
  return { time, founding, network, site, tell, all: [...sites.values()] };
}

async function versionOf(variant: Variant): Promise<Version> {
  return {
    ...(await variant.load<typeof siteModule>("test-mesh/simulation/simulated-site.ts")),
    ...(await variant.load<typeof statementModule>("protocol/statements/statement.ts")),
  };
}

function isEqual(sites: readonly Site[]): boolean {
  const held = sites.map(
    ({ state }) => state.replica.stateDigest() + state.replica.statementDigest(),
  );
  return new Set(held).size === 1;
}

function shown(site: Site, classes: readonly RecordClass[]): unknown {
  const view = site.state.view();
  return classes.map((name) =>
    view.entries(name).map(({ key, value, versionId }) => [key, value, versionId]),
  );
}

/** The same statements with one class more for each site, and what a later version adds. */
function statementsOf(founding: Founding): Uint8Array[] {
  const [zone] = NAMES.map((name) => idOf<SiteId>(testKey(name).publicKey));
  assert.ok(zone !== undefined);
  founding.grant(zone, "zone", "bzh.example");
  const taken = founding.grant(zone, "policy", null);
  founding.ungrant([taken]);
  const encoded: Uint8Array[] = [];
  let prev: StatementId | undefined;
  for (const statement of founding.statements) {
    const link = prev === undefined ? {} : { prev: fromHex(prev) };
    const classes = ["site", "offer", "place", "hold", "note", "metric"];
    const { kind } = statement.body;
    const bytes =
      kind === "GENESIS"
        ? statementModule.encodeStatement(statement)
        : resignStatement(founding.operator, statement, {
            ...link,
            ...(kind === "SITE" ? { classes, powers: ["later"] } : {}),
            ...(kind === "UNGRANT" && prev !== undefined ? { ends: [fromHex(prev)] } : {}),
          });
    encoded.push(bytes);
    prev = statementModule.decodeStatement(bytes).id;
  }
  const last = founding.statements.at(-1);
  assert.ok(
    last !== undefined && prev !== undefined && "seq" in last.body && "lamport" in last.body,
  );
  const { seq, lamport } = last.body;
  const decree = { kind: "DECREE", prev: fromHex(prev), seq: seq + 1, lamport: lamport + 1 };
  return [...encoded, resignStatement(founding.operator, last, { ...decree, what: "be kind" })];
}

test("what a newer version says passes through an older one, and all agree on the rest", async () => {
  const { time, founding, site, tell, all } = await chain();
  const statements = statementsOf(founding);
  for (const name of NAMES) await tell(name, statements.slice(0, 1 + NAMES.length));
  await tell("plus", statements);
  await time.until(() => isEqual(all), LIMIT_MS, "equal statements");
  const write = async (
    name: (typeof NAMES)[number],
    of: RecordClass,
    key: string,
  ): Promise<void> => {
    assert.ok(await time.resolve(site(name).write(of, key, { by: name })), `${name} ${of}`);
  };
  for (const name of NAMES) await write(name, "site", "service/web");
  await write("plus", "zone", "bzh.example/www/A/1");
  await write("plus", METRIC, "load");
  await write("far", METRIC, "load");
  await write("plus", "note", "runbook");
  await write("now", "note", "runbook");
  await time.until(() => isEqual(all), LIMIT_MS, "equal state");
  for (const each of all) {
    assert.deepEqual(shown(each, SHARED), shown(site("now"), SHARED), each.name);
    assert.ok(
      each.sync.status().every(({ refused }) => refused === 0),
      `${each.name} refused`,
    );
  }
  assert.equal(site("far").state.view().entries("site", "service/web").length, NAMES.length);
  assert.deepEqual(shown(site("plus"), [METRIC, "note"]), shown(site("far"), [METRIC, "note"]));
  assert.equal(site("far").state.view().entries(METRIC).length, 2);
  assert.deepEqual(shown(site("now"), ["note"]), shown(site("far"), ["note"]));
  assert.equal(site("now").state.view().entries("note").length, 2);
  const hex = async (of: Site): Promise<string[]> =>
    (await entriesOf(of.state)).map((bytes) => Buffer.from(bytes).toString("hex")).toSorted();
  assert.deepEqual(await hex(site("far")), await hex(site("plus")));
  const hinted = (await entriesOf(site("far").state)).filter((bytes) =>
    Buffer.from(readEnvelope(bytes).headerBytes).includes("of a later version"),
  );
  assert.ok(hinted.length >= 4, "the field of a later version arrived");
  for (const bytes of statements) {
    const { id } = statementModule.decodeStatement(bytes);
    for (const each of all) assert.deepEqual(each.state.replica.statement(id), bytes);
  }
});

test("a site that is upgraded shows what it had only kept", async () => {
  const { time, founding, network, site, tell, all } = await chain();
  const statements = statementsOf(founding);
  for (const name of NAMES) await tell(name, statements);
  assert.ok(await time.resolve(site("now").write("note", "runbook", "kept")));
  await time.until(() => isEqual(all), LIMIT_MS, "equal state");
  const before = site("minus");
  assert.equal(before.state.view().entries("note").length, 0);
  before.crash();
  const upgraded = new siteModule.SimulatedSite(
    { name: "minus", id: before.id, time, network },
    before.disk,
  );
  await upgraded.start();
  assert.deepEqual(shown(upgraded, ["note"]), shown(site("now"), ["note"]));
  assert.equal(upgraded.state.view().entries("note").length, 1);
  assert.ok(isEqual([upgraded, site("now")]));
});

test("rules of a later version: stored, passed on and shown, and nothing is signed", async () => {
  const { time, founding, site, tell, all } = await chain();
  for (const name of NAMES)
    await tell(name, founding.statements.map(statementModule.encodeStatement));
  assert.ok(await time.resolve(site("far").write("site", "service/web", "before")));
  await time.until(() => isEqual(all), LIMIT_MS, "equal state");
  founding.epoch({ features: ["metrics"], rules: 2 });
  await tell("plus", founding.statements.map(statementModule.encodeStatement));
  await time.until(() => isEqual(all), LIMIT_MS, "equal statements");
  for (const each of all) {
    const { rules, features } = each.state.authority();
    assert.deepEqual([rules, [...features]], [2, ["metrics"]]);
    await assert.rejects(
      each.state.write([{ class: "site", key: "service/web", value: "after" }]),
      {
        code: "E-STATE-RULES",
      },
    );
    assert.equal(each.state.view().entries("site", "service/web")[0]?.value, "before");
    assert.ok(!each.state.statements().some(({ body }) => body.kind === "ACK"));
  }
});
