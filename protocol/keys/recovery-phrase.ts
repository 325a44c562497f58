/**
 * The recovery phrase: 24 words that stand for an owner's 32 secret bytes.
 *
 * Decides what counts as a phrase and says exactly what is wrong with one that does not. The
 * English list of BIP 39, whose words differ in their first four letters; the last word carries
 * an 8-bit checksum.
 *
 * Source: BIP 39, https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki.
 */
import { entropyToMnemonic, mnemonicToEntropy } from "@scure/bip39";
import { PleachError } from "../error.ts";
import { isListed, nearestWords, splitWords, WORDS } from "./word-list.ts";

/** Words in a phrase. */
export const PHRASE_WORDS = 24;

/** Size of what a phrase stands for. */
export const ROOT_BYTES = 32;

/** No phrase is longer; a file that is, is not one. */
const MAX_PHRASE_CHARACTERS = 4096;

const LIST: string[] = [...WORDS];

export class PhraseError extends PleachError<
  "E-PHRASE-COUNT" | "E-PHRASE-WORD" | "E-PHRASE-CHECKSUM"
> {}

/**
 * The phrase of 32 bytes: 24 words with one space between.
 *
 * @throws RangeError when the size is wrong, which is a bug in the caller.
 */
export function phraseOf(root: Uint8Array): string {
  if (root.length !== ROOT_BYTES) throw new RangeError(`root of ${root.length} bytes`);
  return entropyToMnemonic(root, LIST);
}

/**
 * The 32 bytes of a phrase as a person typed it: any white space, any case.
 *
 * @throws PhraseError which names the first word that is not in the list, or says that the count
 *   or the checksum is wrong.
 */
export function parsePhrase(text: string): Uint8Array {
  return parseWords(splitWords(text.slice(0, MAX_PHRASE_CHARACTERS)));
}

function parseWords(words: readonly string[]): Uint8Array {
  for (const [index, word] of words.slice(0, PHRASE_WORDS).entries()) {
    if (isListed(word)) continue;
    const near = nearestWords(word);
    throw new PhraseError(
      "E-PHRASE-WORD",
      `Word ${index + 1}, ${JSON.stringify(word.slice(0, 20))}, is not in the list of words.`,
      {
        hint:
          near.length > 0
            ? `Perhaps ${near.map((each) => `"${each}"`).join(" or ")}. Compare with the sheet.`
            : "Compare with the sheet.",
      },
    );
  }
  if (words.length !== PHRASE_WORDS) {
    throw new PhraseError(
      "E-PHRASE-COUNT",
      `A recovery phrase has ${PHRASE_WORDS} words, these are ${words.length}.`,
      { hint: "Give all words of the sheet, in their order." },
    );
  }
  try {
    return mnemonicToEntropy(words.join(" "), LIST);
  } catch (cause) {
    throw new PhraseError(
      "E-PHRASE-CHECKSUM",
      "Every word is in the list, but the checksum of the phrase fails: a word is another one " +
        "than on the sheet, or two changed places.",
      { hint: "Compare each word, and the order, with the sheet.", cause },
    );
  }
}
