/** `pleach operators recovery`: the keys that decide when the operators cannot. */
import { Command } from "commander";
import type { EpochBody } from "../../../protocol/statements/epoch-statement.ts";
import type { PeerKey } from "../../../protocol/ids.ts";
import { parseRecoveryPublic } from "../../../protocol/keys/recovery-public.ts";
import { help, type CliContext } from "../shell/context.ts";
import { withSignerOptions, type SignerOptions } from "./decision-signer.ts";
import { epochContent } from "./epoch-change.ts";
import { CommandError, UsageError } from "../shell/exit.ts";
import { askMembers, knownHere, type MeshKnowledge } from "./mesh-knowledge.ts";
import { readSmallFile } from "./people-files.ts";
import { propose } from "./propose.ts";

const MAX_KEYS = 8;

interface RecoveryOptions extends SignerOptions {
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
  readonly threshold?: string;
}

export function recoveryCommand(context: CliContext): Command {
  const recovery = new Command("recovery")
    .option("--add <line-or-file...>", "a public line that pleach keys recovery printed")
    .option("--remove <digits...>", "the first 8 or more digits of a recovery key")
    .option("--threshold <number>", "how many of them have to sign; 0: they decide nothing")
    .action((options: RecoveryOptions) => run(context, options));
  withSignerOptions(recovery, true);
  return help(
    recovery,
    "The keys on paper that decide when the operators cannot, and changing them. Such a key comes " +
      "from the phrase of an owner; at the beginning it is the founder's.",
    [
      ["pleach operators recovery", "which they are"],
      ["pleach keys recovery --phrase-file SHEET", "the public line of a phrase, at its holder"],
      ["pleach operators recovery --add carol.txt --operator-key FILE", "Carol's phrase, too"],
      ["pleach operators recovery --remove 3fa9c1d2 --operator-key FILE", "a sheet that is lost"],
    ],
  );
}

async function run(context: CliContext, options: RecoveryOptions): Promise<void> {
  const { add = [], remove = [], threshold } = options;
  if (add.length === 0 && remove.length === 0 && threshold === undefined) {
    if (options.operatorKey !== undefined || options.phraseFile !== undefined) {
      throw new UsageError("Nothing is to be changed.", "Give --add, --remove or --threshold.");
    }
    return list(context);
  }
  const added = await Promise.all(add.map(readKey));
  const mesh = await askMembers(context, options);
  const recovery = recoveryAfter(mesh, added, remove, threshold);
  const said = `${recovery.threshold} of ${recovery.keys.length} recovery keys decide from now on.`;
  await propose(context, mesh, options, { recovery }, said);
}

async function list(context: CliContext): Promise<void> {
  const { keys, threshold } = (await knownHere(context)).authority.recovery;
  context.out.result({ keys, threshold }, () =>
    keys.length === 0
      ? "No recovery key: when operators lose their keys, nobody can decide any more."
      : [...keys, `${threshold} of ${keys.length} decide when the operators cannot.`].join("\n"),
  );
}

/** @throws CommandError E-FILE, RecoveryPublicError. */
async function readKey(text: string): Promise<PeerKey> {
  const isLine = text.includes(" ");
  return parseRecoveryPublic(isLine ? text : await readSmallFile(text));
}

/** @throws UsageError, CommandError E-UNKNOWN. */
export function recoveryAfter(
  mesh: MeshKnowledge,
  added: readonly PeerKey[],
  removed: readonly string[],
  threshold: string | undefined,
): EpochBody["recovery"] {
  const { recovery: before } = epochContent(mesh, {});
  const gone = new Set(removed.map((digits) => findKey(before.keys, digits)));
  const known = added.find((key) => before.keys.includes(key));
  if (known !== undefined) {
    throw new UsageError(`${known.slice(0, 16)}... is a recovery key already.`);
  }
  const ended = added.find((key) => isOther(mesh, key));
  if (ended !== undefined) {
    throw new UsageError(`${ended.slice(0, 16)}... is the key of an operator or a site.`);
  }
  const keys = [...new Set([...before.keys.filter((key) => !gone.has(key)), ...added])];
  if (keys.length > MAX_KEYS) throw new UsageError(`A mesh has at most ${MAX_KEYS} recovery keys.`);
  const usual = Math.min(keys.length, Math.max(before.threshold, keys.length === 0 ? 0 : 1));
  const decide = threshold === undefined ? usual : digitOf(threshold);
  if (decide < 0 || decide > keys.length) {
    throw new UsageError(
      `"${threshold}" is not a number of recovery keys (0 to ${keys.length} of these).`,
    );
  }
  return { keys, threshold: decide };
}

/** Keys are of one kind: one that signs for something else would confuse every list. */
function isOther({ authority }: MeshKnowledge, key: PeerKey): boolean {
  const { operators, sites, endedSites } = authority;
  return [operators, sites, endedSites].some((known) =>
    (known as ReadonlyMap<string, unknown>).has(key),
  );
}

function findKey(keys: readonly PeerKey[], digits: string): PeerKey {
  const found = keys.filter((key) => /^[0-9a-f]{8,64}$/.test(digits) && key.startsWith(digits));
  const [first, another] = found;
  if (first !== undefined && another === undefined) return first;
  const problem = first === undefined ? "No recovery key begins" : "Several begin";
  throw new CommandError("E-UNKNOWN", `${problem} with "${digits}".`, {
    hint: "Give 8 or more digits of one of them:  pleach operators recovery",
  });
}

/** -1 for what is none. */
function digitOf(text: string): number {
  return /^\d$/.test(text) ? Number(text) : -1;
}
