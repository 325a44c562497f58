/** `pleach backup lock`: how long holders keep what this site's lists no longer name. */
import { Command } from "commander";
import { BackupError } from "../../backup/client/error.ts";
import { readSetKeys } from "../../backup/client/keys/set-key-file.ts";
import { aboutShape } from "../../control/shapes.ts";
import { addAnswerShape } from "../../control/shapes-decisions.ts";
import type { Authority, Delegation } from "../../core/authority/authority.ts";
import { SHORTENING_MS } from "../../core/backup/retention-lock.ts";
import { LEAST_LOCK_DAYS } from "../../core/backup/set-safety.ts";
import { type OwnerId, type SetId, type SiteId } from "../../../protocol/ids.ts";
import { deriveOwnerKeys } from "../../../protocol/keys/owner-keys.ts";
import { encodeStatement } from "../../../protocol/statements/statement.ts";
import { StatementChain } from "../../../protocol/statements/statement-chain.ts";
import { askMembers } from "../members/mesh-knowledge.ts";
import { readPhrase } from "../members/people-files.ts";
import { help, type CliContext } from "../shell/context.ts";
import { UsageError } from "../shell/exit.ts";
import { confirm } from "../shell/terminal.ts";

interface LockOptions {
  readonly days: string;
  readonly phraseFile?: string;
}

/** A century; nobody waits for more. */
const MAX_DAYS = 36_500;
const WAIT_DAYS = SHORTENING_MS / 86_400_000;

export function lockCommand(context: CliContext): Command {
  const lock = new Command("lock")
    .argument("[name]", "name of a data set (default: all that this site starts)")
    .requiredOption("--days <number>", "how long what leaves the lists is kept, in days")
    .option("--phrase-file <file>", "the owner's phrase or sheet")
    .action((name: string | undefined, options: LockOptions) => setLock(context, name, options));
  return help(
    lock,
    `Sets the retention lock, with the owner's phrase. A longer one counts at once, a shorter one after ${WAIT_DAYS} days.`,
    [
      ["pleach backup lock --days 60", "all data sets of this site"],
      ["pleach backup lock nextcloud --days 30", "one of them; also takes back a shorter one"],
    ],
  );
}

async function setLock(context: CliContext, name: string | undefined, options: LockOptions) {
  const days = daysIn(options.days);
  const set = name === undefined ? null : readSetKeys(context.config.keys, name).set;
  const mesh = await askMembers(context, {});
  const { siteId } = await context.client.get("/v1/about", aboutShape);
  const site = siteId as SiteId;
  const keys = deriveOwnerKeys(await readPhrase(options.phraseFile));
  const owner = [...mesh.authority.owners.values()].find(({ sign }) => sign === keys.ownerId);
  const before = owner && inForce(mesh.authority, owner.ownerId, site, set);
  if (owner === undefined || before === undefined) {
    throw new BackupError("E-BACKUP-KEYS", "The phrase is not that of this site's owner.", {
      hint: "Take the recovery sheet of the owner whose data sets this site writes.",
      exit: 5,
    });
  }
  const what = name === undefined ? "all data sets of this site" : `the data set ${name}`;
  context.out.note(
    `What leaves the lists of ${what} is kept for ${before.lockDays} days now, and is to be for ${days}.`,
  );
  if (days < LEAST_LOCK_DAYS) {
    context.out.warn(`With less than ${LEAST_LOCK_DAYS} days no copy counts as safe.`);
  }
  const apart = set === null ? withOwnLock(mesh.authority, owner.ownerId, site) : 0;
  if (apart > 0) {
    context.out.warn(
      `Data sets with a lock of their own keep it: ${apart}. Name them to change them.`,
    );
  }
  await confirm("Sign it?", context.yes);
  const chain = new StatementChain(mesh.meshId, keys.sign, mesh.headOf(keys.ownerId));
  const statement = chain.sign({
    ...{ kind: "DELEGATE", owner: owner.ownerId, set, site, lockDays: days },
    ...{ lastList: null, lastHead: null },
  });
  const idle = mesh.with([statement]).authority.idle.get(statement.id);
  if (idle !== undefined) {
    throw new BackupError("E-BACKUP-KEYS", `The statement would have no effect: ${idle}.`);
  }
  const statements = [Buffer.from(encodeStatement(statement)).toString("base64")];
  await context.client.post("/v1/decisions", { statements }, addAnswerShape);
  const isShorter = days < before.lockDays;
  context.out.result(
    { set, days, before: before.lockDays, isPending: isShorter, statement: statement.id },
    isShorter ? SHORTER : "Signed. It counts at each holder as soon as that hears of it.",
  );
}

const SHORTER = [
  `Signed. It counts at each holder after ${WAIT_DAYS} days of its running time, and shows in "pleach status"`,
  "of every site until then. Operators may object; so may you:  pleach backup object SET --phrase-file FILE",
].join("\n");

function daysIn(text: string): number {
  const days = Number(text);
  if (/^\d{1,5}$/.test(text) && days <= MAX_DAYS) return days;
  throw new UsageError(
    `"${text}" is no number of days from 0 to ${MAX_DAYS}.`,
    'Give one such as "60".',
  );
}

/** The DELEGATE that the new one takes the place of. */
function inForce(
  authority: Authority,
  owner: OwnerId,
  site: SiteId,
  set: SetId | null,
): Delegation | undefined {
  if (set !== null) return authority.delegationFor(owner, set, site);
  return authority.delegations.find(
    (each) => each.owner === owner && each.site === site && each.set === null,
  );
}

/** Data sets for which the owner has signed a DELEGATE by name. */
function withOwnLock(authority: Authority, owner: OwnerId, site: SiteId): number {
  const named = authority.delegations.filter((each) => each.owner === owner && each.site === site);
  return new Set(named.flatMap(({ set }) => set ?? [])).size;
}
