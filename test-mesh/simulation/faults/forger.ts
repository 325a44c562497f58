/** Replays of old items, and items that were never signed by whom they name. */
import { decodeCbor, encodeCbor, type CborValue } from "../../../protocol/encoding/cbor.ts";
import { readEnvelope } from "../../../protocol/logs/envelope.ts";
import { idOf, sha256, type MeshId } from "../../../protocol/ids.ts";
import { sign } from "../../../protocol/keys/signature.ts";
import { decodeStatement, encodeStatement } from "../../../protocol/statements/statement.ts";
import { resigned } from "../byzantine-member.ts";
import { RawLog } from "../raw-log.ts";
import type { Fault, World } from "../world.ts";

/** The order of the group of Ed25519 (RFC 8032 section 5.1): S + L verifies where nobody looks. */
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const MAX_CBOR_BYTES = 400_000;

/** The other signature that careless verifiers take for the same. */
function malleated(signature: Uint8Array): Uint8Array {
  const scalar = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString("hex")}`);
  const hex = (scalar + GROUP_ORDER).toString(16).padStart(64, "0");
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(hex, "hex").reverse()]);
}

function flipped(bytes: Uint8Array, random: World["random"]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = random.below(copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
  return copy;
}

/** Another header in the name of the same author, signed with a key that is not its. */
function underForeignName(world: World, bytes: Uint8Array): Uint8Array {
  const { headerBytes, payload } = readEnvelope(bytes);
  const fields = decodeCbor(headerBytes, MAX_CBOR_BYTES) as Record<string, CborValue>;
  const header = encodeCbor({ ...fields, wallMs: world.random.below(2 ** 40) });
  const signature = sign(world.byzantine.key, "pleach/envelope/1", header);
  return encodeCbor({ v: 1, header, signature, payload });
}

function fromAnotherMesh(world: World): Uint8Array {
  const mesh = idOf<MeshId>(sha256(world.random.bytes(8)));
  const { key } = world.byzantine;
  const salt = world.random.bytes(16);
  return new RawLog({ mesh, key, class: "site", part: 0, salt }).snap(1).bytes;
}

type Forgery = (world: World, bytes: Uint8Array) => Uint8Array;
const FORGERIES: Readonly<Record<string, Forgery>> = {
  "a malleated signature": (_, bytes) => resigned(bytes, malleated(readEnvelope(bytes).signature)),
  "a wrong signature": ({ random }, bytes) =>
    resigned(bytes, flipped(readEnvelope(bytes).signature, random)),
  "a foreign author": underForeignName,
  "another mesh": fromAnotherMesh,
  "bytes after the end": (_, bytes) => Uint8Array.from([...bytes, 0]),
  "another payload": ({ random }, bytes) => {
    const { headerBytes, signature, payload } = readEnvelope(bytes);
    return encodeCbor({ v: 1, header: headerBytes, signature, payload: flipped(payload, random) });
  },
};

export const forger: readonly Fault[] = [
  {
    weight: 5,
    happen: async (world) => {
      const { random, byzantine, archive } = world;
      const to = random.pick(world.up);
      const old = random.shuffled([...archive.envelopes]).slice(0, 40);
      const items = old.map(({ bytes }) => bytes);
      await byzantine.push(to, [...items, ...random.shuffled(items)]);
      const statements = random.shuffled([...archive.statements.values()]).slice(0, 20);
      await byzantine.pushStatements(to, statements);
      world.sometimes.reached("a replay");
    },
  },
  {
    weight: 5,
    happen: async (world) => {
      const { random, byzantine, archive } = world;
      // What it signs again in its own name is no forgery, but a fork.
      const known = [...archive.envelopes].filter(
        ({ header, payload }) => header.author !== byzantine.site.id && payload.length > 0,
      );
      if (known.length === 0) return;
      const [name, forge] = random.pick(Object.entries(FORGERIES));
      const forged = byzantine.forbid(forge(world, random.pick(known).bytes), name);
      for (const site of world.up) await byzantine.push(site, [forged]);
      world.sometimes.reached(`forged: ${name}`);
    },
  },
  {
    weight: 3,
    happen: async (world) => {
      const { random, byzantine, archive } = world;
      const { bytes, signatures } = decodeStatement(random.pick([...archive.statements.values()]));
      const [first] = signatures;
      if (first === undefined) return;
      const { key, signature } = first;
      const forged = random.pick([
        encodeStatement({ bytes, signatures: [{ key, signature: malleated(signature) }] }),
        encodeStatement({ bytes, signatures: [{ key, signature: flipped(signature, random) }] }),
        encodeStatement({ bytes: flipped(bytes, random), signatures }),
      ]);
      byzantine.forbid(forged, "a statement that its signer did not sign");
      for (const site of world.up) await byzantine.pushStatements(site, [forged]);
      world.sometimes.reached("a forged statement");
    },
  },
];
