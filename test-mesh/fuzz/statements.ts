/**
 * Fuzzes statements of all kinds: whatever is accepted is one encoding, is kept bit by bit, and adds
 * up to the same authority on every node, in every order, after every start.
 */
import assert from "node:assert/strict";
import type { State } from "../../daemon/state/state.ts";
import { decodeCbor, encodeCbor, type CborValue } from "../../protocol/cbor.ts";
import { readEnvelope } from "../../protocol/envelope.ts";
import { toHex } from "../../protocol/ids.ts";
import { sign, type SigningKey } from "../../protocol/signature.ts";
import { encodeSignedHeader } from "../../protocol/signed-header.ts";
import {
  decodeStatement,
  encodeStatement,
  StatementError,
  type SignedStatement,
} from "../../protocol/statement.ts";
import { Founding, testKey } from "../fakes/founding.ts";
import type { SeededRandom } from "../fakes/seeded-random.ts";
import { startMember, startState } from "../fakes/state-node.ts";
import { FakeDisk } from "../fakes/store.ts";
import { toldBy } from "../fakes/told-authority.ts";
import { FreeLog } from "../hostile/free-log.ts";
import { honest, rawUpdate, version } from "../hostile/yjs-attacks.ts";
import { mutateBytes, mutateValue } from "./mutate.ts";
import type { Tally } from "./tally.ts";

type CborMap = { readonly [key: string]: CborValue };

const MOST_BYTES = 64 * 1024;
const MUTANTS = 60;
const OPERATORS = ["ann", "bob", "cyd"].map(testKey);
const SITES = ["quimper", "brest", "rennes"].map(testKey);
const KEYS = [...OPERATORS, ...SITES, testKey("owner coop"), testKey("coop anew")];

export async function fuzzStatements(random: SeededRandom, tally: Tally): Promise<void> {
  const founding = everyKind();
  const disk = new FakeDisk();
  const state = await startMember("quimper", founding.statements.slice(0, 1), disk);
  const sound = founding.statements.map(encodeStatement);
  const mutants = Array.from({ length: MUTANTS }, () => {
    const statement = random.pick(founding.statements);
    return random.chance(0.15)
      ? mutateBytes(encodeStatement(statement), random)
      : resigned(statement, random);
  });
  for (const bytes of random.shuffled([...sound, ...mutants])) {
    const reception = await state.replica.receiveStatement(bytes, state.siteId);
    tally.count(typeof reception === "string" ? reception : reception.refused);
    mustBeCanonical(bytes);
  }
  const again = await startState("quimper", disk);
  mustAgree(again, state);
  const fresh = await startMember("brest", random.shuffled(state.statements()));
  // What a suspended operator signed counts where it came before the suspension did.
  if (state.authority().suspensions.length === 0) mustAgree(fresh, state);
  assert.equal(fresh.replica.statementDigest(), state.replica.statementDigest());
}

/** A mesh in which each kind of statement stands. */
function everyKind(): Founding {
  const recovery = { keys: [testKey("paper")], threshold: 1 };
  const founding = new Founding("fuzz", OPERATORS, undefined, recovery);
  const [ann, bob] = OPERATORS;
  assert.ok(ann !== undefined && bob !== undefined);
  const [quimper, brest, rennes] = ["quimper", "brest", "rennes"].map((name) =>
    founding.enrol(name),
  );
  assert.ok(quimper !== undefined && brest !== undefined && rennes !== undefined);
  const grant = founding.grant(quimper, "zone", "bzh.example");
  founding.grant(brest, "policy", null, bob);
  founding.own("coop");
  founding.delegate("coop", quimper);
  founding.replaceOwner("coop", testKey("coop anew"), bob);
  const suspension = founding.suspend(brest, bob);
  founding.unsuspend([suspension], ann);
  founding.ungrant([grant]);
  const epoch = founding.epoch({ features: ["metrics"], rules: 1 });
  founding.vote(epoch, bob);
  for (const site of SITES) founding.ack(epoch, site);
  founding.leave(testKey("rennes"));
  founding.forkProof(...fork(founding));
  return founding;
}

function fork(founding: Founding): [Uint8Array, Uint8Array] {
  const log = new FreeLog(testKey("brest"), founding.meshId, "forked");
  log.snapshot();
  const { clientId: client, clock } = log;
  const other = rawUpdate({ client, clock, items: [{ value: version("other") }] });
  const entries = [log.sign({ bytes: other, clockAfter: 1 }), log.update(honest("k", "one"))];
  const [one, two] = entries.map(({ bytes }) => {
    const { headerBytes, signature } = readEnvelope(bytes);
    return encodeSignedHeader(headerBytes, signature);
  });
  assert.ok(one !== undefined && two !== undefined);
  return [one, two];
}

/** A body with something changed in it, signed by whom it then names if that key is here. */
function resigned(statement: SignedStatement, random: SeededRandom): Uint8Array {
  const body = mutateValue(decodeCbor(statement.bytes, MOST_BYTES), random) as CborMap;
  const bytes = encodeCbor(body);
  const kind = typeof body["kind"] === "string" ? body["kind"] : statement.body.kind;
  const named = body["by"] instanceof Uint8Array ? toHex(body["by"]) : "";
  const signers =
    statement.signatures.length === 0
      ? []
      : [KEYS.find(({ publicKey }) => toHex(publicKey) === named) ?? random.pick(KEYS)];
  const signatures = signers.map((key: SigningKey) => ({
    key: key.publicKey,
    signature: sign(key, `pleach/statement-${kind.toLowerCase()}/1`, bytes),
  }));
  return encodeStatement({ bytes, signatures });
}

function mustBeCanonical(bytes: Uint8Array): void {
  let statement;
  try {
    statement = decodeStatement(bytes);
  } catch (error) {
    assert.ok(error instanceof StatementError, String(error));
    return;
  }
  assert.deepEqual(encodeStatement(statement), bytes);
  assert.deepEqual(encodeCbor(decodeCbor(statement.bytes, MOST_BYTES)), statement.bytes);
}

function mustAgree(a: State, b: State): void {
  assert.equal(a.replica.statementDigest(), b.replica.statementDigest());
  assert.equal(toldBy(a.authority()), toldBy(b.authority()));
}
