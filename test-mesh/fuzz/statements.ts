/**
 * Fuzzes statements of all kinds: whatever is accepted is one encoding, is kept bit by bit, and adds
 * up to the same authority on every node, in every order, after every start.
 */
import assert from "node:assert/strict";
import type { State } from "../../daemon/state/state.ts";
import { decodeCbor, encodeCbor, type CborValue } from "../../protocol/encoding/cbor.ts";
import { toHex } from "../../protocol/ids.ts";
import { sign, type SigningKey } from "../../protocol/keys/signature.ts";
import {
  decodeStatement,
  encodeStatement,
  StatementError,
  type SignedStatement,
} from "../../protocol/statements/statement.ts";
import { everyKind } from "../fakes/every-kind.ts";
import { testKey } from "../fakes/founding.ts";
import type { SeededRandom } from "../fakes/seeded-random.ts";
import { startMember, startState } from "../fakes/state-node.ts";
import { FakeDisk } from "../fakes/store.ts";
import { toldBy } from "../fakes/told-authority.ts";
import { mutateBytes, mutateValue } from "./mutate.ts";
import type { Tally } from "./tally.ts";

type CborMap = { readonly [key: string]: CborValue };

const MOST_BYTES = 64 * 1024;
const MUTANTS = 60;
const OPERATORS = ["ann", "bob", "cyd"].map(testKey);
const SITES = ["quimper", "brest", "rennes"].map(testKey);
const KEYS = [...OPERATORS, ...SITES, testKey("owner coop"), testKey("coop anew")];

export async function fuzzStatements(random: SeededRandom, tally: Tally): Promise<void> {
  const founding = everyKind("fuzz");
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
