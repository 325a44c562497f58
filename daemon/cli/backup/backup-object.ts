/** `pleach backup object`: a word against a shorter retention lock, here or for the whole mesh. */
import { Command } from "commander";
import type { z } from "zod";
import { BackupError } from "../../backup/client/error.ts";
import {
  keptDecidedShape,
  pendingLocksShape,
  type ObjectionRequest,
} from "../../control/shapes-backup.ts";
import { mayObject } from "../../core/backup/objectors.ts";
import { signObjection } from "../../../protocol/backup/objection.ts";
import type { OwnerId, StatementId } from "../../../protocol/ids.ts";
import { deriveOwnerKeys } from "../../../protocol/keys/owner-keys.ts";
import type { SigningKey } from "../../../protocol/keys/signature.ts";
import { knownHere } from "../members/mesh-knowledge.ts";
import { openOperatorFile, readPhrase } from "../members/people-files.ts";
import { help, type CliContext } from "../shell/context.ts";
import { UsageError } from "../shell/exit.ts";
import { plural } from "../../core/status/status-finding.ts";
import { confirm } from "../shell/terminal.ts";
import { decide } from "./backup-kept.ts";

interface ObjectOptions {
  readonly operatorKey?: string;
  readonly passphraseFile?: string;
  readonly phraseFile?: string;
}

type PendingLock = z.infer<typeof pendingLocksShape>["locks"][number];

export function objectCommand(context: CliContext): Command {
  const object = new Command("object")
    .argument("<set>", "identifier of the data set, or its beginning")
    .option("--operator-key <file>", "an operator's key: then it holds at every holder")
    .option("--passphrase-file <file>", "its passphrase, on the first line")
    .option("--phrase-file <file>", "the owner's phrase or sheet: then it holds at every holder")
    .action((set: string, options: ObjectOptions) => {
      if (options.operatorKey === undefined && options.phraseFile === undefined) {
        return objectHere(context, set);
      }
      return objectEverywhere(context, set, options);
    });
  return help(
    object,
    "Objects to a shorter lock that is pending: the longer one stays, until the owner's key signs another.",
    [
      ["pleach backup object 3f2a9c10", "at this site alone, if it holds the set"],
      ["pleach backup object 3f2a9c10 --operator-key FILE", "at every holder, as an operator"],
      ["pleach backup object 3f2a9c10 --phrase-file FILE", "at every holder, as the owner"],
    ],
  );
}

async function objectHere(context: CliContext, set: string): Promise<void> {
  const found = await decide(context, set, "object");
  context.out.result(
    { set: found, decision: "object", everywhere: false },
    "The lock stays as it is here. For all holders, an operator objects with --operator-key FILE.",
  );
}

async function objectEverywhere(context: CliContext, text: string, options: ObjectOptions) {
  const { locks } = await context.client.get("/v1/backup/locks", pendingLocksShape);
  const pending = pick(locks, text);
  const owner = pending.owner as OwnerId;
  const statement = pending.statement as StatementId;
  const { wantedDays, days, set } = pending;
  const others = new Set(locks.filter((one) => one.statement === statement).map((one) => one.set));
  others.delete(set);
  const more = others.size === 0 ? "" : ` (and ${plural(others.size, "more data set")})`;
  context.out.note(
    `What leaves the lists of ${set}${more} is to be kept for ${days} days still, not for ${wantedDays}.`,
  );
  await confirm("Object?", context.yes);
  const key = await openKey(options);
  const { meshId, authority } = await knownHere(context);
  const signed = signObjection(key, { mesh: meshId, owner, statement });
  if (!mayObject(authority, owner, signed.key)) {
    throw new BackupError("E-BACKUP-KEYS", "That key may not object to this owner's lock.", {
      hint: "An operator of the mesh may who is not suspended, and the owner's own key.",
      exit: 5,
    });
  }
  const body: ObjectionRequest = { owner, statement, ...signed };
  await context.client.post("/v1/backup/objections", body, keptDecidedShape);
  context.out.result(
    { set, decision: "object", everywhere: true, statement },
    "Signed. Every holder that hears of it keeps the longer lock, until the owner's key signs another.",
  );
}

function pick(locks: readonly PendingLock[], text: string): PendingLock {
  const beginning = text.toLowerCase();
  const fitting = locks.filter(({ set }) => set.startsWith(beginning));
  const [found] = fitting;
  if (found !== undefined && fitting.every(({ statement }) => statement === found.statement)) {
    return found;
  }
  const how = found === undefined ? "No shorter lock is pending for a" : "More than one";
  throw new BackupError("E-BACKUP-UNKNOWN", `${how} data set that begins with "${text}".`, {
    hint: "Where a holder has heard of one, it shows in:  pleach status",
    exit: 2,
  });
}

async function openKey(options: ObjectOptions): Promise<SigningKey> {
  if (options.operatorKey === undefined) {
    return deriveOwnerKeys(await readPhrase(options.phraseFile)).sign;
  }
  if (options.phraseFile === undefined) {
    return (await openOperatorFile(options.operatorKey, options.passphraseFile)).sign;
  }
  throw new UsageError("Two keys are named.", "Give --operator-key or --phrase-file, not both.");
}
