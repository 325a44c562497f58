/**
 * The list of words that people read out, write down and type: the English one of BIP 39.
 *
 * 2048 words, 11 bits each; no two share their first four letters.
 */
import { wordlist } from "@scure/bip39/wordlists/english.js";

export const WORDS: readonly string[] = wordlist;

const POSITION: ReadonlyMap<string, number> = new Map(wordlist.map((word, i) => [word, i]));

/** Whether the list has this word, in lower case. */
export function isListed(word: string): boolean {
  return POSITION.has(word);
}

/** The words of a text as a person typed it: any white space, any case. */
export function splitWords(text: string): readonly string[] {
  const plain = text.normalize("NFKD").toLowerCase().trim();
  return plain === "" ? [] : plain.split(/\s+/);
}

/** At most three words of the list that are one or two slips of the hand away. */
export function nearestWords(word: string): readonly string[] {
  if (word.length > 16) return [];
  return WORDS.map((known) => ({ known, slips: slips(word, known) }))
    .filter((candidate) => candidate.slips <= 2)
    .toSorted((a, b) => a.slips - b.slips || (a.known < b.known ? -1 : 1))
    .slice(0, 3)
    .map((candidate) => candidate.known);
}

/** Levenshtein distance: letters added, left out or changed. */
function slips(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
