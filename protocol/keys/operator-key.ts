/**
 * The file that holds an operator's signing key, and the text of its public half.
 *
 * The key file is text and its secret is encrypted with a passphrase; only commands open it. A
 * damaged file and a wrong passphrase are told apart, because people lose keys by trying the
 * wrong remedy. The public half is one line that an operator sends to whoever founds the mesh.
 *
 * Source: scrypt is RFC 7914; secretbox is XSalsa20-Poly1305 of NaCl.
 */
import { scryptSync } from "node:crypto";
import nacl from "tweetnacl";
import { PleachError } from "../error.ts";
import { fromHex, idOf, parseId, sha256, toHex, type OperatorId } from "../ids.ts";
import { isSoundPublicKey, signingKey, type SigningKey } from "./signature.ts";

const KEY_TITLE = "PLEACH OPERATOR KEY 1";
const PUBLIC_TITLE = "pleach-operator-1";

/** 64 MiB and about 0.2 s for each guess, on a small server too (RFC 7914 section 2). */
const SCRYPT = { N: 2 ** 16, r: 8, p: 1, maxmem: 2 ** 27 } as const;

/** Shorter ones are found by trying. */
export const MIN_PASSPHRASE_CHARACTERS = 8;

const SALT_BYTES = 16;
const CHECK_BYTES = 8;
const MAX_FILE_CHARACTERS = 4096;
const MAX_NAME_CHARACTERS = 64;

export class OperatorKeyError extends PleachError<
  | "E-OPERATOR-NAME"
  | "E-OPERATOR-PASSPHRASE"
  | "E-OPERATOR-FILE"
  | "E-OPERATOR-DAMAGED"
  | "E-OPERATOR-PUBLIC"
> {}

/** What others know of an operator. */
export interface OperatorPublic {
  readonly key: OperatorId;
  /** 1 to 64 characters on one line, without spaces around. */
  readonly name: string;
}

export interface OperatorSecret extends OperatorPublic {
  readonly sign: SigningKey;
}

/** Chance for one key file; never use it twice. */
export interface OperatorKeyChance {
  /** 32 bytes. */
  readonly seed: Uint8Array;
  /** 16 bytes. */
  readonly salt: Uint8Array;
  /** 24 bytes. */
  readonly nonce: Uint8Array;
}

/**
 * The text of a new key file.
 *
 * @throws OperatorKeyError when the name or the passphrase cannot be used.
 */
export function sealOperatorKey(
  name: string,
  passphrase: string,
  chance: OperatorKeyChance,
): { readonly file: string; readonly operator: OperatorPublic } {
  if (chance.salt.length !== SALT_BYTES) throw new RangeError(`salt: ${chance.salt.length} B`);
  checkName(name);
  if (passphrase.length < MIN_PASSPHRASE_CHARACTERS) {
    throw new OperatorKeyError(
      "E-OPERATOR-PASSPHRASE",
      `The passphrase has ${passphrase.length} characters, at least ` +
        `${MIN_PASSPHRASE_CHARACTERS} are needed.`,
      { hint: "Four or five unrelated words are easy to keep and hard to guess.", exit: 2 },
    );
  }
  const key = idOf<OperatorId>(signingKey(chance.seed).publicKey);
  const box = nacl.secretbox(chance.seed, chance.nonce, stretch(passphrase, chance.salt));
  const body = [
    KEY_TITLE,
    `name: ${name}`,
    `key: ${key}`,
    `salt: ${toHex(chance.salt)}`,
    `nonce: ${toHex(chance.nonce)}`,
    `box: ${toHex(box)}`,
  ];
  return {
    file: `${[...body, `check: ${checkOf(body)}`].join("\n")}\n`,
    operator: { key, name },
  };
}

interface Fields {
  readonly name: string;
  /** @throws OperatorKeyError E-OPERATOR-DAMAGED. */
  readonly field: (index: number, name: string, sizeBytes: number) => string;
}

/** @throws OperatorKeyError for a file that is none, and a damaged one. */
function readFields(file: string): Fields {
  const lines = file.slice(0, MAX_FILE_CHARACTERS).trim().split(/\r?\n/);
  if (lines[0] !== KEY_TITLE) {
    throw new OperatorKeyError("E-OPERATOR-FILE", "This is not an operator's key file.", {
      hint: `The first line of a key file is "${KEY_TITLE}".`,
    });
  }
  const field = (index: number, name: string, sizeBytes: number): string => {
    const value = new RegExp(`^${name}: ([0-9a-f]{${sizeBytes * 2}})$`).exec(lines[index] ?? "");
    if (value?.[1] === undefined) throw damaged();
    return value[1];
  };
  const name = /^name: (.+)$/.exec(lines[1] ?? "")?.[1];
  if (name === undefined || lines.length !== 7) throw damaged();
  if (field(6, "check", CHECK_BYTES) !== checkOf(lines.slice(0, 6))) throw damaged();
  return { name, field };
}

/**
 * Whose key it is, without its passphrase: what the file says, which only opening it proves.
 *
 * @throws OperatorKeyError for a file that is none, and a damaged one.
 */
export function operatorOfFile(file: string): OperatorPublic {
  const { field, name } = readFields(file);
  const key = parseId<OperatorId>(field(2, "key", 32));
  if (key === undefined) throw damaged();
  return { key, name };
}

/**
 * @throws OperatorKeyError which tells a file that is none, a damaged one and a wrong passphrase
 *   apart.
 */
export function openOperatorKey(file: string, passphrase: string): OperatorSecret {
  const { field, name } = readFields(file);
  const seed = nacl.secretbox.open(
    fromHex(field(5, "box", 32 + nacl.secretbox.overheadLength)),
    fromHex(field(4, "nonce", nacl.secretbox.nonceLength)),
    stretch(passphrase, fromHex(field(3, "salt", SALT_BYTES))),
  );
  if (seed === null) {
    throw new OperatorKeyError(
      "E-OPERATOR-PASSPHRASE",
      "The passphrase does not open this key file. The file itself is intact.",
      { hint: "Type the passphrase again; mind the keyboard layout." },
    );
  }
  const sign = signingKey(seed);
  const key = idOf<OperatorId>(sign.publicKey);
  if (key !== field(2, "key", 32)) throw damaged();
  return { key, name, sign };
}

/** One line, to be sent to the founder of a mesh. It is no secret. */
export function printOperatorPublic(operator: OperatorPublic): string {
  return `${PUBLIC_TITLE} ${operator.key} ${operator.name}\n`;
}

/** @throws OperatorKeyError when the text is not such a line, or the key is not a sound one. */
export function parseOperatorPublic(text: string): OperatorPublic {
  const match = /^pleach-operator-1 ([0-9a-f]{64}) (.+)$/.exec(
    text.slice(0, MAX_FILE_CHARACTERS).trim(),
  );
  const key = parseId<OperatorId>(match?.[1]);
  const name = match?.[2];
  if (key === undefined || name === undefined || !isSoundPublicKey(fromHex(key))) {
    throw new OperatorKeyError("E-OPERATOR-PUBLIC", "This is not an operator's public key.", {
      hint: `Such a file has one line: ${PUBLIC_TITLE}, 64 digits, a name. Give FILE.pub.`,
    });
  }
  checkName(name);
  return { key, name };
}

function damaged(): OperatorKeyError {
  return new OperatorKeyError("E-OPERATOR-DAMAGED", "The key file is damaged: its check fails.", {
    hint: "No passphrase will open it. Use another copy of the file.",
  });
}

function checkName(name: string): void {
  if (name === name.trim() && name.length <= MAX_NAME_CHARACTERS && /^\P{C}+$/u.test(name)) return;
  throw new OperatorKeyError(
    "E-OPERATOR-NAME",
    `${JSON.stringify(name.slice(0, MAX_NAME_CHARACTERS))} cannot be the name of an operator.`,
    { hint: `A name has 1 to ${MAX_NAME_CHARACTERS} characters on one line.`, exit: 2 },
  );
}

function checkOf(lines: readonly string[]): string {
  return toHex(sha256("pleach/operator-file/1", lines.join("\n"))).slice(0, CHECK_BYTES * 2);
}

/** Normalised first, so that the same keys on another keyboard give the same bytes. */
function stretch(passphrase: string, salt: Uint8Array): Uint8Array {
  return Uint8Array.from(scryptSync(passphrase.normalize("NFKC"), salt, 32, SCRYPT));
}
