/**
 * `pleach join CODE`: asks to become a site of a mesh.
 *
 * The phrase and everything that the owner signs stay in this command. It shows six words and
 * waits until an operator has approved them; an interrupted wait loses nothing, because the daemon
 * goes on asking.
 */
import { randomBytes } from "node:crypto";
import { Command } from "commander";
import {
  encodeApplication,
  type ApplicationParts,
} from "../../../protocol/messages/application.ts";
import { parseId, type MeshId, type SiteId, type StatementId } from "../../../protocol/ids.ts";
import { parseInvitation } from "../../../protocol/messages/invitation.ts";
import { deriveOwnerKeys, type OwnerKeys } from "../../../protocol/keys/owner-keys.ts";
import { signSiteRelease, type SiteRelease } from "../../../protocol/statements/site-statement.ts";
import {
  joinOfferShape,
  membershipShape,
  wordsShape,
  type JoinOfferAnswer,
} from "../../control/shapes-membership.ts";
import { help, type CliContext } from "../shell/context.ts";
import { UsageError } from "../shell/exit.ts";
import { requestSite } from "./membership-calls.ts";
import {
  handOver,
  mustBeAbleToTell,
  signDelegate,
  signNewOwner,
  today,
} from "../backup/owner-ceremony.ts";
import { pinOwner } from "../backup/owner-pin.ts";
import { MadeFiles, readPhrase, takingBack } from "./people-files.ts";
import { siteWords, withSiteOptions, type SiteOptions, type SiteWords } from "./site-options.ts";
import { awaitApproval } from "./await-approval.ts";

interface JoinOptions extends SiteOptions {
  readonly owner?: string;
  readonly phraseFile?: string;
  readonly phraseOut?: string;
  readonly replaces?: string;
  readonly wait: boolean;
}

/** Whose backups the site makes. */
type OwnerChoice =
  | { readonly kind: "none" }
  | { readonly kind: "new"; readonly root: Uint8Array; readonly keys: OwnerKeys }
  | { readonly kind: "known"; readonly keys: OwnerKeys };

/** The daemon tries each address of the code for some seconds. */
const JOIN_TIMEOUT_MS = 60_000;

export function joinCommand(context: CliContext): Command {
  const command = new Command("join")
    .argument("<code>", 'what "pleach invite" printed on a site of the mesh')
    .option("--owner <who>", '"new", the id of an owner (its phrase is asked for), or "none"')
    .option("--phrase-file <file>", "phrase or sheet of an owner that the mesh knows")
    .option("--phrase-out <file>", "write a new owner's sheet there instead of showing it")
    .option("--replaces <site>", "take the place of a lost site; needs its owner's phrase")
    .option("--no-wait", "show the words and do not wait for the approval")
    .action((code: string, options: JoinOptions) => join(context, code, options));
  withSiteOptions(command);
  return help(command, "Asks to join a mesh. An operator approves the six words it shows.", [
    ["pleach join CODE --site brest", "with a new owner of its own"],
    ["pleach join CODE --site brest2 --phrase-file sheet.txt", "for an owner that is there"],
    ["pleach join CODE --site brest --phrase-file sheet.txt --replaces brest", "after a loss"],
  ]);
}

async function join(context: CliContext, code: string, options: JoinOptions): Promise<void> {
  const { client, config } = context;
  parseInvitation(code);
  const words = siteWords(options, config.site);
  const here = await client.get("/v1/membership", membershipShape);
  const choice = await chooseOwner(options);
  const offer = await client.post(
    "/v1/membership/joining",
    {
      code,
      owner: choice.kind === "known" ? choice.keys.ownerId : null,
      replaces: options.replaces ?? null,
    },
    joinOfferShape,
    { timeoutMs: JOIN_TIMEOUT_MS },
  );
  checkOffer(offer, choice, options);
  const site = await requestSite(context, offer.meshId, words);
  const parts = { site, ...ownerParts(offer, choice, here.siteId as SiteId, words) };
  const made = new MadeFiles();
  const sixWords = await takingBack(made, async () => {
    if (choice.kind !== "none") await pinOwner(config.keys, offer.meshId as MeshId, choice.keys);
    if (choice.kind === "new") await handOverNew(context, offer, choice, words, options, made);
    const application = Buffer.from(encodeApplication(parts)).toString("base64");
    const body = { code, application };
    const timeoutMs = JOIN_TIMEOUT_MS;
    return client.post("/v1/membership/joining/apply", body, wordsShape, { timeoutMs });
  });
  const applied = {
    meshId: offer.meshId,
    meshName: offer.meshName,
    siteId: here.siteId,
    ownerId: choice.kind === "none" ? null : choice.keys.ownerId,
    ...sixWords,
  };
  await awaitApproval(context, applied, options.wait);
}

async function chooseOwner(options: JoinOptions): Promise<OwnerChoice> {
  const known = options.phraseFile !== undefined || options.replaces !== undefined;
  const who = options.owner ?? (known ? "known" : "new");
  if (who === "new" || who === "none") {
    if (known) {
      throw new UsageError(
        `--owner ${who} does not go with --phrase-file or --replaces.`,
        "Those are for an owner that the mesh knows; leave --owner out.",
      );
    }
    if (who === "none") return { kind: "none" };
    mustBeAbleToTell(options.phraseOut);
    const root = Uint8Array.from(randomBytes(32));
    return { kind: "new", root, keys: deriveOwnerKeys(root) };
  }
  if (who !== "known" && !/^[0-9a-f]{8,64}$/.test(who)) {
    throw new UsageError(
      `--owner takes "new", "none" or the id of an owner, not "${who}".`,
      "The id stands on the recovery sheet; its first 8 digits are enough.",
    );
  }
  const keys = deriveOwnerKeys(await readPhrase(options.phraseFile));
  if (who !== "known" && !keys.ownerId.startsWith(who)) {
    throw new UsageError(
      `The phrase is that of the owner ${keys.ownerId}, not of ${who}.`,
      "Take the sheet of the right owner.",
    );
  }
  return { kind: "known", keys };
}

function checkOffer(offer: JoinOfferAnswer, choice: OwnerChoice, options: JoinOptions): void {
  if (choice.kind === "known" && offer.owner === null) {
    throw new UsageError(
      `The mesh "${offer.meshName}" knows no owner with this phrase (${choice.keys.ownerId}).`,
      "Take the sheet of an owner of this mesh, or --owner new. The code is still good, here.",
    );
  }
  if (options.replaces !== undefined && offer.old === null) {
    throw new UsageError(
      `The mesh "${offer.meshName}" has no site "${options.replaces}".`,
      "Compare --replaces with the names on any member: pleach peers. The code is still good, here.",
    );
  }
}

/** What the owner signs; in its own chain, so that it need not know the operator's. */
function ownerParts(
  offer: JoinOfferAnswer,
  choice: OwnerChoice,
  siteId: SiteId,
  words: SiteWords,
): Pick<ApplicationParts, "owner" | "delegate" | "release"> {
  const mesh = offer.meshId as MeshId;
  switch (choice.kind) {
    case "none":
      return { owner: null, delegate: null, release: null };
    case "new":
      return {
        ...signNewOwner(choice.keys, mesh, siteId, words, offer.lamport),
        release: null,
      };
    case "known": {
      const { seq, prev } = offer.owner ?? { seq: 1, prev: mesh };
      const head = { seq, prev: prev as StatementId, lamport: offer.lamport };
      return {
        owner: null,
        delegate: signDelegate(choice.keys, mesh, siteId, head),
        release:
          offer.old === null
            ? null
            : signSiteRelease(choice.keys.sign, {
                mesh,
                old: offer.old.site as SiteId,
                new: siteId,
                heads: readHeads(offer.old.heads),
              }),
      };
    }
  }
}

function readHeads(heads: NonNullable<JoinOfferAnswer["old"]>["heads"]): SiteRelease["heads"] {
  return heads.map(({ log, seq, head }) => {
    const logId = parseId<SiteRelease["heads"][number]["log"]>(log, 16);
    const entry = parseId<SiteRelease["heads"][number]["head"]>(head);
    if (logId === undefined || entry === undefined) throw new UsageError("The heads are none.");
    return { log: logId, seq, head: entry };
  });
}

async function handOverNew(
  context: CliContext,
  offer: JoinOfferAnswer,
  choice: Extract<OwnerChoice, { readonly kind: "new" }>,
  words: SiteWords,
  options: JoinOptions,
  made: MadeFiles,
): Promise<void> {
  const sheet = {
    meshId: offer.meshId as MeshId,
    meshName: offer.meshName,
    ownerId: choice.keys.ownerId,
    ownerName: words.org,
    root: choice.root,
    members: offer.members,
    madeOn: today(),
  };
  await handOver(context, sheet, options.phraseOut, made);
}
