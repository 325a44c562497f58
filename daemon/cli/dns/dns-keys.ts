/** `pleach dns keys`: TSIG keys for secondaries and for updates. */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { open, rm } from "node:fs/promises";
import { Command, Option } from "commander";
import { createSecretFile } from "../../config/secret-file.ts";
import { keysShape, keyZonesShape } from "../../control/shapes-dns-keys.ts";
import { isNamePattern } from "../../../protocol/dns/name-pattern.ts";
import { formatType, parseType } from "../../../protocol/dns/dns-type.ts";
import { TSIG_ALGORITHMS, type TsigAlgorithm } from "../../../protocol/dns/tsig.ts";
import { help, type CliContext } from "../shell/context.ts";
import { CommandError, UsageError } from "../shell/exit.ts";
import { table } from "../shell/output.ts";
import { placeIn, placeText, type PlaceOptions } from "./place-options.ts";
import { KEY_FORMATS, keyFile, secretIn, type KeyFormat } from "./key-file.ts";

/** As long as the hash (RFC 8945 section 8). */
const SECRET_BYTES: Readonly<Record<TsigAlgorithm, number>> = {
  "hmac-sha1": 20,
  "hmac-sha256": 32,
  "hmac-sha384": 48,
  "hmac-sha512": 64,
};

interface AddOptions extends PlaceOptions {
  readonly zone: readonly string[];
  readonly transfer?: boolean;
  readonly update: readonly string[];
  readonly algorithm: TsigAlgorithm;
  readonly out?: string;
  readonly format: KeyFormat;
  readonly secretFile?: string;
}

export function keysCommand(context: CliContext): Command {
  return help(new Command("keys"), "Keys by which other servers and programs are known (TSIG).", [
    ["pleach dns keys add friend --transfer --out friend.key", "a secondary may fetch all zones"],
    [
      'pleach dns keys add acme --update "_acme-challenge.**.a.org:TXT" --out a.key',
      "a program may answer challenges",
    ],
    ["pleach dns keys list", "who may do what"],
  ])
    .addCommand(addCommand(context))
    .addCommand(listCommand(context))
    .addCommand(removeCommand(context));
}

function addCommand(context: CliContext): Command {
  const many = (value: string, before: readonly string[]): readonly string[] => [...before, value];
  const add = new Command("add")
    .argument("<key>", "its name, such as friend or acme.mesh.example")
    .option("--zone <zone>", "only for this zone; may be repeated", many, [])
    .option("--transfer", "it may fetch the zones")
    .option("--update <names:types>", "what it may change; may be repeated", many, [])
    .option("--out <file>", "makes a secret and writes it here (0600)")
    .addOption(
      new Option("--format <form>", "of that file").choices([...KEY_FORMATS]).default("bind"),
    )
    .option("--view <view>", "what it sees and changes: public (default), mesh or lan")
    .option("--site <name>", "with --view lan: it changes the records of this site only")
    .option("--secret-file <file>", "takes the secret from a key file instead")
    .addOption(
      new Option("--algorithm <name>", "of the signatures")
        .choices([...TSIG_ALGORITHMS])
        .default("hmac-sha256"),
    )
    .action((name: string, options: AddOptions) => addKey(context, name, options));
  return help(add, "Makes a key, or gives one that is there other rights.", [
    ["pleach dns keys add friend --transfer --out friend.key --format nsd", "for a secondary"],
    [
      'pleach dns keys add acme --update "_acme-challenge.**.a.org:TXT" --out a.key',
      "* is one label, ** any number of them",
    ],
    ["pleach dns keys add friend --transfer --zone new.example", "one more zone for a key"],
    [
      'pleach dns keys add dhcp --update "*.home.example:A" --view lan --out d.key',
      "a DHCP server that names what is on a LAN",
    ],
  ]);
}

async function addKey(context: CliContext, name: string, options: AddOptions): Promise<void> {
  const { algorithm, out, secretFile } = options;
  if (out !== undefined && secretFile !== undefined) {
    throw new UsageError("--out makes a secret and --secret-file brings one; take one of them.");
  }
  const made =
    out === undefined ? undefined : randomBytes(SECRET_BYTES[algorithm]).toString("base64");
  const secret = secretFile === undefined ? made : await readSecret(secretFile);
  const request = {
    name,
    zones: options.zone,
    algorithm,
    ...(secret === undefined ? {} : { secret }),
    transfer: options.transfer === true,
    update: options.update.map(parseScope),
    ...placeIn(options),
  };
  // The file comes first: a key that nobody could read again would be of no use.
  if (out !== undefined && made !== undefined) {
    const [listen] = context.config.dns.listen;
    const server = listen ?? { address: "127.0.0.1", port: 53 };
    const text = keyFile(options.format, { name, algorithm, secret: made, server });
    await createSecretFile(out, Buffer.from(text));
  }
  try {
    const done = await context.client.post("/v1/dns/keys", request, keyZonesShape);
    const where = out === undefined ? "" : ` Its secret is in ${out}.`;
    context.out.result(done, `Key ${name} counts for ${done.zones.join(", ")}.${where}`);
  } catch (error) {
    if (out !== undefined) await rm(out, { force: true });
    throw error;
  }
}

/** `NAMES:TYPE,TYPE`, or `NAMES` for all types. */
function parseScope(text: string): { names: string; types: string[] } {
  const [names = "", typeText, ...rest] = text.toLowerCase().split(":");
  const pattern = names.replace(/\.$/, "");
  if (rest.length > 0 || !isNamePattern(pattern)) {
    throw new UsageError(
      `"${text}" is not what a key may change.`,
      'Such as "*.dyn.mesh.example:A,AAAA" or "_acme-challenge.**.mesh.example:TXT".',
    );
  }
  const types = typeText === undefined ? [] : typeText.split(",");
  return { names: pattern, types: types.map((type) => formatType(parseType(type))) };
}

/** @throws CommandError for a file that others can read, or without a secret. */
async function readSecret(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(
    (cause: unknown) => {
      throw new CommandError("E-FILE", `${path} cannot be read (${(cause as Error).message}).`);
    },
  );
  try {
    const { mode, size } = await file.stat();
    if ((mode & 0o077) !== 0) {
      throw new CommandError("E-FILE", `${path} can be read by others.`, {
        hint: `If nobody has read it:  chmod 600 ${path}`,
      });
    }
    const secret = size > MAX_KEY_FILE_BYTES ? undefined : secretIn(await file.readFile("utf8"));
    if (secret !== undefined) return secret;
    throw new CommandError("E-FILE", `${path} holds no TSIG secret.`, {
      hint: "It may be a key file of BIND, Knot or NSD, or the secret in base64.",
    });
  } finally {
    await file.close();
  }
}

const MAX_KEY_FILE_BYTES = 4096;

function listCommand(context: CliContext): Command {
  const list = new Command("list").action(async () => {
    const found = await context.client.get("/v1/dns/keys", keysShape);
    context.out.result(found, () =>
      found.keys.length === 0
        ? "No keys. A new one:  pleach dns keys add NAME --transfer --out FILE"
        : table([
            ["KEY", "ZONE", "VIEW", "MAY", "AT"],
            ...found.keys.map((key) => [
              key.name,
              key.zone,
              placeText(key.view, key.viewSite),
              mayDo(key),
              [...key.readers, ...key.waiting.map((site) => `(${site})`)].join(" "),
            ]),
          ]),
    );
  });
  return help(list, "Lists the keys and what they may do. Sites in brackets have no secret yet.", [
    ["pleach dns keys list", "all of them"],
  ]);
}

function mayDo({
  transfer,
  update,
}: {
  readonly transfer: boolean;
  readonly update: readonly { readonly names: string; readonly types: readonly string[] }[];
}): string {
  const changes = update.map(
    ({ names, types }) => `${names}:${types.length === 0 ? "all" : types.join(",")}`,
  );
  return [...(transfer ? ["fetch"] : []), ...changes].join(" ");
}

function removeCommand(context: CliContext): Command {
  const remove = new Command("remove")
    .argument("<key>")
    .option("--zone <zone>", "only there")
    .action(async (name: string, { zone }: { readonly zone?: string }) => {
      const request = { name, ...(zone === undefined ? {} : { zone }) };
      const done = await context.client.post("/v1/dns/keys/remove", request, keyZonesShape);
      context.out.result(done, `Key ${name} no longer counts for ${done.zones.join(", ")}.`);
    });
  return help(remove, "Takes a key and its rights away, on all nodes.", [
    ["pleach dns keys remove friend", ""],
  ]);
}
