/**
 * Making an owner: the phrase is made, written to paper or a file, and typed back; then what the
 * owner signs.
 */
import { randomInt } from "node:crypto";
import type { MeshId, SiteId } from "../../../protocol/ids.ts";
import type { OwnerKeys } from "../../../protocol/keys/owner-keys.ts";
import {
  ownerClaimId,
  signOwnerClaim,
  type OwnerBody,
} from "../../../protocol/statements/owner-statement.ts";
import { PHRASE_WORDS, phraseOf } from "../../../protocol/keys/recovery-phrase.ts";
import { printRecoverySheet, type RecoverySheet } from "../../../protocol/keys/recovery-sheet.ts";
import { StatementChain } from "../../../protocol/statements/statement-chain.ts";
import type { SignedStatement } from "../../../protocol/statements/statement.ts";
import type { CliContext } from "../shell/context.ts";
import { CommandError, UsageError } from "../shell/exit.ts";
import type { MadeFiles } from "../members/people-files.ts";
import { rememberSheet } from "./sheet-files.ts";
import type { SiteWords } from "../members/site-options.ts";
import { ask, isInteractive } from "../shell/terminal.ts";

/** Words that are asked back: enough to see that they stand on paper. */
const ASKED_WORDS = 3;
const TRIES = 3;

/** How long holders keep what the last list named; see "lock" in the glossary. */
const LOCK_DAYS = 30;

/** Fails early when there is neither a file nor a terminal for the phrase. */
export function mustBeAbleToTell(phraseOut: string | undefined): void {
  if (phraseOut !== undefined || isInteractive()) return;
  throw new UsageError(
    "There is no terminal to show the recovery phrase on.",
    "Give --phrase-out FILE; print the file and delete it.",
  );
}

/**
 * Hands the sheet over: to the file, else to the terminal. On a terminal some words are asked
 * back before anything else happens.
 */
export async function handOver(
  context: CliContext,
  sheet: RecoverySheet,
  phraseOut: string | undefined,
  made: MadeFiles,
): Promise<void> {
  const text = printRecoverySheet(sheet);
  if (phraseOut !== undefined) {
    await made.create(phraseOut, text);
    await rememberSheet(context.config.keys, phraseOut);
    context.out.note(`The recovery sheet is in ${phraseOut}. Print it, then delete the file.`);
  } else {
    process.stderr.write(`\n${text}\nWrite it down now. It is not shown again.\n\n`);
  }
  if (isInteractive()) await askBack(phraseOf(sheet.root).split(" "));
}

async function askBack(words: readonly string[]): Promise<void> {
  const places = new Set<number>();
  while (places.size < ASKED_WORDS) places.add(randomInt(PHRASE_WORDS));
  for (const place of [...places].toSorted((a, b) => a - b)) {
    let left = TRIES;
    while (
      (await ask(`Word ${place + 1} of the sheet: `, "--phrase-out")).trim() !== words[place]
    ) {
      left -= 1;
      if (left > 0) continue;
      throw new CommandError("E-CONFIRM", "The words that were typed are not those of the sheet.", {
        hint: "Run the command again; it makes a new phrase. Throw the old sheet away.",
      });
    }
  }
}

/** The claim of a new owner and its word for the site, in its chain right after the claim. */
export function signNewOwner(
  keys: OwnerKeys,
  mesh: MeshId,
  site: SiteId,
  words: SiteWords,
  lamport: number,
): {
  readonly owner: Pick<OwnerBody, "claim" | "claimSignatures">;
  readonly delegate: SignedStatement;
} {
  const owner = signOwnerClaim([keys.sign], {
    mesh,
    owner: keys.ownerId,
    sign: keys.ownerId,
    box: keys.box.publicKey,
    recovery: keys.recoveryKey,
    name: words.org,
    org: words.org,
    country: words.domains.country,
    seq: 1,
    prev: mesh,
  });
  const head = { seq: 2, prev: ownerClaimId(owner.claim), lamport };
  return { owner, delegate: signDelegate(keys, mesh, site, head) };
}

/** The owner's word that this site may write every data set that it starts. */
export function signDelegate(
  keys: OwnerKeys,
  mesh: MeshId,
  site: SiteId,
  head: ConstructorParameters<typeof StatementChain>[2],
): SignedStatement {
  return new StatementChain(mesh, keys.sign, head).sign({
    kind: "DELEGATE",
    owner: keys.ownerId,
    set: null,
    site,
    lockDays: LOCK_DAYS,
    lastList: null,
    lastHead: null,
  });
}

/** As people write the day: 2031-04-01. */
export function today(): string {
  return new Date().toISOString().slice(0, 10);
}
