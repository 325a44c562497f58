/**
 * The six words that two people compare on the telephone before one of them approves.
 *
 * They stand for everything that is about to be signed: the mesh, both machines, the invitation
 * and each byte of the application. Six words are 66 bits: whoever holds a stolen code and wants
 * other content to give the same words has to try 2^66 applications.
 */
import { PleachError } from "../error.ts";
import { idBytes, sha256, type MeshId, type PeerKey, type SiteId } from "../ids.ts";
import { isListed, nearestWords, splitWords, WORDS } from "../keys/word-list.ts";

export const JOIN_WORDS = 6;

export class JoinWordsError extends PleachError<"E-WORDS-COUNT" | "E-WORDS-WORD"> {}

/** What both sides know; see join-message.ts and invitation.ts. */
export interface JoinFacts {
  readonly meshId: MeshId;
  readonly applicant: PeerKey;
  readonly issuer: SiteId;
  readonly proofKey: Uint8Array;
  /** The application as it was sent. */
  readonly application: Uint8Array;
}

/** Six words with one space between. */
export function joinWords(facts: JoinFacts): string {
  const hash = sha256(
    "pleach/join-words/1\0",
    idBytes(facts.meshId),
    idBytes(facts.applicant),
    idBytes(facts.issuer),
    facts.proofKey,
    sha256(facts.application),
  );
  let bits = 0n;
  for (const byte of hash) bits = (bits << 8n) | BigInt(byte);
  const words = Array.from({ length: JOIN_WORDS }, (_, index) => {
    return WORDS[Number((bits >> BigInt(256 - 11 * (index + 1))) & 0x7ffn)] ?? "";
  });
  return words.join(" ");
}

/**
 * The words as a person typed them, in the form of {@link joinWords}.
 *
 * @throws JoinWordsError when the count is wrong, or which names the word that is not in the list.
 */
export function parseJoinWords(text: string): string {
  const words = splitWords(text.slice(0, 1024).replaceAll(/[,;-]/g, " "));
  const wrong = words.find((word) => !isListed(word));
  if (wrong !== undefined) {
    const near = nearestWords(wrong);
    throw new JoinWordsError(
      "E-WORDS-WORD",
      `${JSON.stringify(wrong.slice(0, 20))} is not in the list of words.`,
      {
        hint: near.length > 0 ? `Perhaps "${near.join('" or "')}". Ask again.` : "Ask again.",
        exit: 2,
      },
    );
  }
  if (words.length !== JOIN_WORDS) {
    throw new JoinWordsError(
      "E-WORDS-COUNT",
      `An application has ${JOIN_WORDS} words, these are ${words.length}.`,
      { hint: "Have all six read out, in their order, and put them in quotation marks.", exit: 2 },
    );
  }
  return words.join(" ");
}
