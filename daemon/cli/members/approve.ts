/**
 * `pleach approve "SIX WORDS"`: an operator lets an applicant in.
 *
 * The operator's key is opened here and nowhere else. The application is read and checked here as
 * well, so a daemon that lies cannot get anything signed that was not shown.
 */
import { Command } from "commander";
import { openApplication, type Application } from "../../../protocol/messages/application.ts";
import { parseId, type PeerKey, type SiteId } from "../../../protocol/ids.ts";
import { joinWords, parseJoinWords } from "../../../protocol/messages/join-words.ts";
import type { OperatorSecret } from "../../../protocol/keys/operator-key.ts";
import { OWN_CLASSES, SHARED_CLASSES } from "../../../protocol/logs/record-class.ts";
import { StatementChain } from "../../../protocol/statements/statement-chain.ts";
import { isChained, type SignedStatement } from "../../../protocol/statements/statement.ts";
import {
  addedShape,
  applicationShape,
  membershipShape,
  type MembershipAnswer,
} from "../../control/shapes-membership.ts";
import { z } from "zod";
import { help, type CliContext } from "../shell/context.ts";
import { CommandError, UsageError } from "../shell/exit.ts";
import { fromBase64, toBase64 } from "./membership-calls.ts";
import { offer, remember, unlessRefused } from "./decide.ts";
import { signerOfFile } from "./decision-signer.ts";
import { askMembers, type MeshKnowledge } from "./mesh-knowledge.ts";
import { openOperatorFile } from "./people-files.ts";
import { confirm } from "../shell/terminal.ts";

interface ApproveOptions {
  readonly operatorKey?: string;
  readonly passphraseFile?: string;
  readonly zones: boolean;
  readonly decline?: boolean;
}

export function approveCommand(context: CliContext): Command {
  const command = new Command("approve")
    .argument("<words...>", "the six words that the applicant reads out")
    .option("--operator-key <file>", "your operator key")
    .option("--passphrase-file <file>", "its passphrase, on the first line")
    .option("--no-zones", "do not let the site edit zones, nor mark services of others")
    .option("--decline", "turn the application down instead")
    .action((words: readonly string[], options: ApproveOptions) =>
      approve(context, words.join(" "), options),
    );
  return help(command, "Lets an applicant in. Run it on the site that made the code.", [
    ['pleach approve "SIX WORDS" --operator-key anne.key', "shows who asks, then signs"],
    ['pleach approve "SIX WORDS" --decline', "turns the application down"],
  ]);
}

async function approve(context: CliContext, text: string, options: ApproveOptions): Promise<void> {
  const { client, out } = context;
  const words = parseJoinWords(text);
  if (options.decline === true) {
    const shape = z.object({ declined: z.literal(true) });
    await client.post("/v1/membership/applications/decline", { words }, shape);
    out.result({ declined: true }, "The application was declined.");
    return;
  }
  if (options.operatorKey === undefined) {
    throw new UsageError("Approving takes an operator's key.", "Give --operator-key FILE.");
  }
  const application = await findApplication(context, words);
  const mesh = await client.get("/v1/membership", membershipShape);
  const known = await askMembers(context, options);
  if (application.request.mesh !== known.meshId) {
    throw new CommandError("E-APPLICATION", "The application is for another mesh.");
  }
  const named = await signerOfFile(options, known);
  if (named !== undefined && known.authority.isSuspended(named.key)) {
    throw new CommandError(
      "E-OPERATOR",
      `${named.name} is suspended: its approvals do not count.`,
      {
        hint: `Another operator approves, or ends it:  pleach unsuspend ${named.name} --operator`,
        exit: 5,
      },
    );
  }
  out.note(describe(application, mesh, options.zones));
  await confirm("Approve?", context.yes);
  const operator = await openOperatorFile(options.operatorKey, options.passphraseFile);
  const statements = signAll(known, application, operator, options.zones);
  await remember(context, options, statements.filter(isBy(operator)), false);
  if (known.unheard.length > 0) await offer(context, known.unheard);
  await unlessRefused(options, statements, async () => {
    const body = { statements: statements.map(toBase64) };
    await client.post("/v1/membership/statements", body, addedShape);
  });
  const { request, claim, release } = application;
  out.result(
    {
      siteId: request.key,
      site: request.name,
      ownerId: claim?.owner ?? application.delegate?.owner ?? null,
      replaces: release?.old ?? null,
      statements: statements.map(({ id }) => id),
    },
    `${request.name} is a site of "${mesh.meshName}" now.`,
  );
}

async function findApplication(context: CliContext, words: string): Promise<Application> {
  const path = "/v1/membership/applications/find";
  return readApplication(await context.client.post(path, { words }, applicationShape), words);
}

/**
 * The application that the words stand for. They are made anew here: a daemon that lies cannot
 * put another application, or another machine, in its place.
 *
 * @throws CommandError E-APPLICATION
 */
export function readApplication(
  found: z.infer<typeof applicationShape>,
  words: string,
): Application {
  const bytes = fromBase64(found.application);
  const application = openApplication(bytes);
  const applicant = parseId<PeerKey>(found.applicant);
  const issuer = parseId<SiteId>(found.issuer);
  if (application !== undefined && applicant !== undefined && issuer !== undefined) {
    const { mesh: meshId, key } = application.request;
    const proofKey = fromBase64(found.proofKey);
    const made = joinWords({ meshId, applicant, issuer, proofKey, application: bytes });
    if (key === (applicant as string) && made === words) return application;
  }
  throw new CommandError("E-APPLICATION", "The application is not the one of these words.", {
    hint: "Make a new code and have the other machine join again.",
  });
}

function describe(application: Application, mesh: MembershipAnswer, zones: boolean): string {
  const { request, claim, delegate, release } = application;
  const known = mesh.owners.find(({ ownerId }) => ownerId === delegate?.owner);
  const old = mesh.sites.find(({ siteId }) => siteId === release?.old);
  const lines = [
    `Site       ${request.name}`,
    `Run by     ${request.org}`,
    `Place      ${[request.place, request.domains.country].filter((each) => each).join(", ") || "-"}`,
    `Site key   ${request.key}`,
    claim !== undefined
      ? `Owner      new: ${claim.name}`
      : `Owner      ${known === undefined ? "none" : known.name}`,
    `Zones      ${zones ? "may edit all" : "may edit none"}`,
    `Services   ${zones ? "may mark all up or down, and set their policies" : "its own only"}`,
  ];
  if (release !== undefined) {
    lines.push(`Replaces   ${old?.name ?? release.old}, which is no member any more then`);
  }
  return `${lines.join("\n")}\n`;
}

function isBy({ key }: OperatorSecret): (statement: SignedStatement) => boolean {
  return ({ body }) => isChained(body) && body.by === key;
}

/** In the order in which each finds what it builds on. */
function signAll(
  mesh: MeshKnowledge,
  application: Application,
  operator: OperatorSecret,
  zones: boolean,
): readonly SignedStatement[] {
  const { parts, request } = application;
  const chain = new StatementChain(request.mesh, operator.sign, mesh.headOf(operator.key));
  const statements: SignedStatement[] = [];
  if (parts.owner !== null) statements.push(chain.sign({ kind: "OWNER", ...parts.owner }));
  if (parts.delegate !== null) statements.push(parts.delegate);
  statements.push(
    chain.sign({
      kind: "SITE",
      ...parts.site,
      classes: [...OWN_CLASSES],
      release: parts.release,
    }),
  );
  if (zones) {
    for (const granted of SHARED_CLASSES) {
      statements.push(
        chain.sign({ kind: "GRANT", site: request.key, class: granted, selector: null }),
      );
    }
  }
  return statements;
}
