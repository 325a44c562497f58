/**
 * `pleach init`: founds a mesh with this machine as its first site.
 *
 * The operator's key, the recovery phrase and all signatures are made here; the daemon gets
 * signed statements only. Files are made first and taken back when the founding fails.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Command } from "commander";
import type { ApplicationParts } from "../../protocol/messages/application.ts";
import { DEFAULT_LIMITS } from "../../protocol/statements/genesis.ts";
import { type MeshId, type SiteId } from "../../protocol/ids.ts";
import type { OperatorPublic, OperatorSecret } from "../../protocol/keys/operator-key.ts";
import { deriveOwnerKeys, type OwnerKeys } from "../../protocol/keys/owner-keys.ts";
import { OWN_CLASSES, SHARED_CLASSES } from "../../protocol/logs/record-class.ts";
import { StatementChain } from "../../protocol/statements/statement-chain.ts";
import {
  meshIdOf,
  signStatement,
  type SignedStatement,
} from "../../protocol/statements/statement.ts";
import { textField } from "../../protocol/encoding/wire-field.ts";
import { foundAnswerShape, membershipShape } from "../control/shapes-membership.ts";
import { help, type CliContext } from "./shell/context.ts";
import { CommandError, UsageError } from "./shell/exit.ts";
import { handOver, mustBeAbleToTell, signNewOwner, today } from "./backup/owner-ceremony.ts";
import { makeDirectory, pinOwner } from "./backup/owner-pin.ts";
import { requestSite, toBase64 } from "./members/membership-calls.ts";
import {
  choosePassphrase,
  createOperatorFiles,
  MadeFiles,
  readOperatorPublic,
  takingBack,
} from "./members/people-files.ts";
import {
  siteWords,
  withSiteOptions,
  type SiteOptions,
  type SiteWords,
} from "./members/site-options.ts";

interface InitOptions extends SiteOptions {
  readonly mesh: string;
  readonly operator: readonly string[];
  readonly operatorName?: string;
  readonly operatorOut?: string;
  readonly passphraseFile?: string;
  readonly phraseOut?: string;
}

export function initCommand(context: CliContext): Command {
  const command = new Command("init")
    .requiredOption("--mesh <name>", "what people call the mesh")
    .option("--operator <file...>", "public keys of further operators (FILE.pub)", [])
    .option("--operator-name <name>", "your name as an operator (default: the site's name)")
    .option(
      "--operator-out <file>",
      "where to write your operator key (default: KEYS/operator.key)",
    )
    .option("--passphrase-file <file>", "passphrase of that key, on the first line")
    .option("--phrase-out <file>", "write the recovery sheet there instead of showing it")
    .action((options: InitOptions) => init(context, options));
  withSiteOptions(command);
  return help(command, "Founds a mesh with this machine as its first site.", [
    ["pleach init --mesh entraide --site quimper", "asks for a passphrase, shows the phrase"],
    ["pleach init --mesh entraide --site quimper --operator anne.key.pub", "two operators"],
  ]);
}

async function init(context: CliContext, options: InitOptions): Promise<void> {
  const { client, out, config } = context;
  const words = siteWords(options, config.site);
  if (!textField(64, 1).safeParse(options.mesh).success) {
    throw new UsageError("--mesh takes a name of 1 to 64 characters on one line.");
  }
  mustBeAbleToTell(options.phraseOut);
  const others = await Promise.all(options.operator.map(readOperatorPublic));
  const here = await client.get("/v1/membership", membershipShape);
  if (here.meshId !== null) {
    throw new CommandError(
      "E-MESH-MEMBER",
      `This node is in the mesh "${here.meshName}" already.`,
      {
        hint: "One node is in one mesh. Use a machine, or a data directory, of its own.",
      },
    );
  }
  const passphrase = await choosePassphrase(options.passphraseFile);
  const made = new MadeFiles();
  const founded = await takingBack(made, async () => {
    const keyFile = options.operatorOut ?? join(config.keys, "operator.key");
    const root = Uint8Array.from(randomBytes(32));
    const owner = deriveOwnerKeys(root);
    await makeDirectory(config.keys);
    const name = options.operatorName ?? words.name;
    const operator = await createOperatorFiles(keyFile, name, passphrase, made);
    const genesis = signGenesis(options.mesh, operator, others, owner);
    const meshId = meshIdOf(genesis);
    const siteId = here.siteId as SiteId;
    const site = await requestSite(context, meshId, words);
    const rest = firstStatements(meshId, siteId, words, operator, owner, site);
    const sheet = {
      meshId,
      meshName: options.mesh,
      ownerId: owner.ownerId,
      ownerName: words.org,
      root,
      members: here.ownNamed.map((address) => ({ site: words.name, address })),
      madeOn: today(),
    };
    await handOver(context, sheet, options.phraseOut, made);
    await pinOwner(config.keys, meshId, owner);
    const statements = [genesis, ...rest].map(toBase64);
    await client.post("/v1/membership/found", { statements }, foundAnswerShape);
    const { ownerId } = owner;
    return { meshId, siteId, ownerId, operatorId: operator.key, operatorFile: keyFile };
  });
  if (others.length < 2) {
    out.note(
      `Bus factor ${others.length + 1}: without an operator's key and this owner's phrase nobody ` +
        "can\nadmit a site any more. Name further operators while it is easy.",
    );
  }
  out.result(
    founded,
    `Founded the mesh "${options.mesh}" with the site ${words.name}.\n` +
      `Your operator key is ${founded.operatorFile}.\n` +
      "Next:  pleach invite   and, when others have joined, a new sheet:  pleach keys sheet",
  );
}

function signGenesis(
  name: string,
  operator: OperatorSecret,
  others: readonly OperatorPublic[],
  owner: OwnerKeys,
): SignedStatement {
  const operators = [operator, ...others].map(({ key, name: called }) => ({ key, name: called }));
  return signStatement(
    {
      v: 1,
      kind: "GENESIS",
      name,
      salt: Uint8Array.from(randomBytes(16)),
      operators,
      founders: [operator.key],
      threshold: Math.floor(operators.length / 2) + 1,
      recovery: { keys: [owner.meshRecoveryKey], threshold: 1 },
      limits: DEFAULT_LIMITS,
      rules: 1,
    },
    [operator.sign],
  );
}

/** OWNER, DELEGATE, SITE and the right to edit every zone and all policy. */
function firstStatements(
  meshId: MeshId,
  siteId: SiteId,
  words: SiteWords,
  operator: OperatorSecret,
  keys: OwnerKeys,
  site: ApplicationParts["site"],
): readonly SignedStatement[] {
  const { owner, delegate } = signNewOwner(keys, meshId, siteId, words, 1);
  const chain = new StatementChain(meshId, operator.sign, { seq: 1, prev: meshId, lamport: 1 });
  return [
    chain.sign({ kind: "OWNER", ...owner }),
    delegate,
    chain.sign({
      kind: "SITE",
      ...site,
      classes: [...OWN_CLASSES],
      release: null,
    }),
    ...SHARED_CLASSES.map((granted) =>
      chain.sign({ kind: "GRANT", site: siteId, class: granted, selector: null }),
    ),
  ];
}
