/** `pleach keys`: the recovery sheet with the members of today, and the keys of data sets. */
import { Command } from "commander";
import { idOf, type MeshId, type PeerKey } from "../../../protocol/ids.ts";
import { deriveOwnerKeys, meshRecoveryKey } from "../../../protocol/keys/owner-keys.ts";
import { printRecoveryPublic } from "../../../protocol/keys/recovery-public.ts";
import { printRecoverySheet } from "../../../protocol/keys/recovery-sheet.ts";
import { membershipShape, type MembershipAnswer } from "../../control/shapes-membership.ts";
import { help, type CliContext } from "../shell/context.ts";
import { CommandError } from "../shell/exit.ts";
import { today } from "./owner-ceremony.ts";
import { capsulesCommand } from "./keys-capsules.ts";
import { openCommand } from "./keys-open.ts";
import { rotateCommand } from "./keys-rotate.ts";
import { MadeFiles, readPhrase } from "../members/people-files.ts";
import { rememberSheet } from "./sheet-files.ts";

/** A page has room for no more; any one of them is enough. */
const MAX_MEMBERS_ON_SHEET = 8;

interface SheetOptions {
  readonly phraseFile?: string;
  readonly out: string;
}

export function keysCommand(context: CliContext): Command {
  const keys = help(new Command("keys"), "The keys of an owner and of data sets.", [
    ["pleach keys sheet --out sheet.txt", "a recovery sheet with the members of today"],
    ["pleach keys rotate nextcloud", "seals what comes next with a new key"],
    [
      "pleach keys open books --at 2026-11-20 --out job.keys",
      "keys of an erased past, by the phrase",
    ],
  ]);
  const sheet = new Command("sheet")
    .requiredOption("--out <file>", "where to write it; never over a file that is there")
    .option("--phrase-file <file>", "the phrase or an older sheet, instead of asking for it")
    .action((options: SheetOptions) => writeSheet(context, options));
  keys.addCommand(
    help(sheet, "Writes a recovery sheet with the addresses that the members have today.", [
      ["pleach keys sheet --phrase-file old.txt --out new.txt", "from an older sheet"],
      ["pleach keys sheet --out new.txt", "asks for the 24 words"],
    ]),
  );
  const recovery = new Command("recovery")
    .option("--phrase-file <file>", "the phrase or a sheet, instead of asking for it")
    .action((options: Pick<SheetOptions, "phraseFile">) => printRecovery(context, options));
  keys.addCommand(
    help(recovery, "Prints the public line of a phrase's mesh recovery key. Needs no daemon.", [
      ["pleach keys recovery", "asks for the 24 words; the line is no secret"],
      ["pleach operators recovery --add FILE", "what an operator does with the line"],
    ]),
  );
  keys.addCommand(rotateCommand(context));
  keys.addCommand(capsulesCommand(context));
  keys.addCommand(openCommand(context));
  return keys;
}

async function printRecovery(
  context: CliContext,
  { phraseFile }: Pick<SheetOptions, "phraseFile">,
): Promise<void> {
  const key = idOf<PeerKey>(meshRecoveryKey(await readPhrase(phraseFile)).publicKey);
  const line = printRecoveryPublic(key);
  context.out.result({ key, line }, line);
}

async function writeSheet(context: CliContext, options: SheetOptions): Promise<void> {
  const root = await readPhrase(options.phraseFile);
  const { ownerId } = deriveOwnerKeys(root);
  const mesh = await context.client.get("/v1/membership", membershipShape);
  const owner = mesh.owners.find((each) => each.ownerId === ownerId);
  if (mesh.meshId === null || mesh.meshName === null || owner === undefined) {
    throw new CommandError("E-OWNER", `This node knows no owner with this phrase (${ownerId}).`, {
      hint: "Take the phrase of an owner of this mesh, and a node that is a member of it.",
    });
  }
  const members = membersFor(mesh, ownerId);
  if (members.length === 0) {
    throw new CommandError("E-OWNER", "This node knows the address of no member.", {
      hint: "Wait until it is linked with others:  pleach peers",
    });
  }
  const sheet = {
    meshId: mesh.meshId as MeshId,
    meshName: mesh.meshName,
    ownerId,
    ownerName: owner.name,
    root,
    members,
    madeOn: today(),
  };
  await new MadeFiles().create(options.out, printRecoverySheet(sheet));
  await rememberSheet(context.config.keys, options.out);
  const sites = [...new Set(members.map(({ site }) => site))];
  context.out.result(
    { file: options.out, ownerId, members },
    `Wrote ${options.out} with the addresses of ${sites.join(", ")}.\n` +
      "Print it, keep it away from the server, and delete the file and the older sheet.",
  );
}

/** Sites of others first: those of the owner may be lost together with the data. */
function membersFor(mesh: MembershipAnswer, ownerId: string) {
  const sites = mesh.sites.toSorted(
    (a, b) => Number(a.owners.includes(ownerId)) - Number(b.owners.includes(ownerId)),
  );
  const lists = sites.map(({ name, addresses }) =>
    addresses.map((address) => ({ site: name, address })),
  );
  // One address of each before the second of any.
  const depth = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: depth }, (_, at) => lists.flatMap((list) => list.slice(at, at + 1)))
    .flat()
    .slice(0, MAX_MEMBERS_ON_SHEET);
}
