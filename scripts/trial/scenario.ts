/**
 * The main job, end to end, between real processes: a mesh of four sites, an edit that all see,
 * DNS that is the same everywhere, a backup on three other sites, the loss of a site, and its
 * recovery on an empty box from the recovery sheet alone.
 */
import { realpathSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { copiesShape } from "../../daemon/control/shapes-backup.ts";
import { admit, text } from "../../test-mesh/form.ts";
import type { Json, TestSite } from "../../test-mesh/test-site.ts";
import { waitFor } from "../../test-mesh/wait.ts";
import { askDns, serialOf } from "./ask-dns.ts";
import { verifyReceipts, type ReceiptVerdict } from "./receipts.ts";
import { found, prepareMesh, type TrialMesh } from "./sites.ts";
import { secondsSince, Steps } from "./steps.ts";
import { dataRanges, readXattrs } from "../../daemon/backup/client/system-calls.ts";
import { compareTrees, type FileProbe } from "./tree-compare.ts";

export interface TrialOptions {
  /** The directory to back up. Default: node_modules of this repository. */
  readonly data: string | undefined;
  readonly json: boolean;
  readonly keep: boolean;
}

const REPOSITORY = join(import.meta.dirname, "../..");
const ZONE = "entraide.example";
const SERVICE = "agenda";
const SERVICE_ADDRESS = "192.0.2.14";
const COPIES = 3;
const EDIT_TIMEOUT_MS = 30_000;
/** Half a terabyte over loopback is not what this is for. */
const COPIES_TIMEOUT_MS = 900_000;

/** @returns The exit code: 0 only if every step did what it should. */
export async function runScenario(options: TrialOptions): Promise<number> {
  const steps = new Steps(options.json);
  const trial = await prepareMesh();
  // Else commands keep their compiled code in the node_modules that is backed up and compared.
  process.env["NODE_COMPILE_CACHE"] = join(trial.people.directory, "code");
  let summary: Record<string, unknown> = { schemaVersion: 1, ok: false };
  try {
    summary = await play(trial, options, steps);
  } catch (error) {
    steps.say(`FAILED: ${(error as Error).message}`);
    steps.say(await trial.mesh.logs());
    summary = { ...summary, error: (error as Error).message };
  }
  if (options.keep) sayHowToPlay(trial, steps);
  else await trial.mesh.close();
  const ok = summary["ok"] === true;
  if (options.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  else steps.say(ok ? "The restored tree is identical." : "NOT identical, or not finished.");
  return ok ? 0 : 1;
}

async function play(
  trial: TrialMesh,
  options: TrialOptions,
  steps: Steps,
): Promise<Record<string, unknown>> {
  const { mesh, people } = trial;
  const { passphrase } = people;
  const quimperOperator = { operatorKey: people.quimperOperator, passphrase };
  const brestOperator = { operatorKey: people.brestOperator, passphrase };
  const source = realpathSync(options.data ?? join(REPOSITORY, "node_modules"));
  const fromMs = performance.now();

  steps.say("A mesh of four sites");
  const site = async (name: string): Promise<TestSite> => {
    const made = await mesh.site(name, { ...trial.options, give: "200 GiB" });
    await made.start();
    return made;
  };
  const { value: quimper } = await steps.run("quimper starts", () => site("quimper"));
  const { value: meshId } = await steps.run("quimper founds the mesh", () =>
    found(quimper, people),
  );
  const others: TestSite[] = [];
  for (const name of ["brest", "lorient", "vannes"]) {
    const { value: newcomer } = await steps.run(`${name} starts, asks, is approved`, async () => {
      const started = await site(name);
      const owner = name === "brest" ? "new" : "none";
      const sheet =
        owner === "new" ? ["--phrase-out", join(people.directory, `${name}.sheet`), "--yes"] : [];
      await admit(quimper, started, quimperOperator, "--owner", owner, ...sheet);
      return started;
    });
    others.push(newcomer);
  }
  const four = [quimper, ...others];
  await steps.run("everyone is linked with everyone", () =>
    Promise.all(
      four.map((one) => one.pleach("wait", "--for", "mesh", "--sites", "4", "--timeout", "30s")),
    ),
  );
  const meshFormedSeconds = secondsSince(fromMs);

  steps.say("State and DNS");
  await quimper.pleach("dns", "add-zone", ZONE);
  const edit = await steps.run("an edit on vannes is seen by all", async () => {
    await others[2]?.pleach("service", "add", SERVICE, "--address", SERVICE_ADDRESS);
    await Promise.all(four.map((one) => untilAnswered(one)));
  });
  const dns = await steps.run("every node gives the same answer and serial", () => sameDns(four));

  steps.say(`Backup of ${source}`);
  const [brest] = others;
  if (brest === undefined) throw new Error("there is no brest");
  const small = join(people.directory, "brest-data");
  await mkdir(small);
  await writeFile(join(small, "minutes.txt"), "What the assembly decided.\n");
  await quimper.pleach("backup", "add", "data", "--path", source);
  await brest.pleach("backup", "add", "minutes", "--path", small);
  const backup = await steps.run("quimper reads, cuts, seals", () =>
    quimper.pleach("backup", "run", "data"),
  );
  await brest.pleach("backup", "run", "minutes");
  await steps.run("three other sites have signed for every piece", async () => {
    for (const one of [quimper, brest]) {
      await one.pleach("wait", "--for", "copies", "--timeout", `${COPIES_TIMEOUT_MS / 1000}s`);
    }
  });
  const setId = text(backup.value["set"]);
  const signed = await steps.run("their signatures are verified", () =>
    checkReceipts(quimper, meshId, setId, four),
  );

  steps.say("quimper burns down");
  await quimper.pleach(
    ...["keys", "sheet", "--phrase-file", people.firstSheet],
    ...["--out", people.sheet],
  );
  await steps.run("its daemon is killed, everything of it deleted", async () => {
    await quimper.kill();
    await rm(quimper.directory, { recursive: true });
    for (const file of [people.quimperOperator, people.firstSheet]) await rm(file);
    await rm(`${people.quimperOperator}.pub`, { force: true });
  });

  steps.say("An empty box and the recovery sheet");
  const box = await site("newbox");
  const target = join(people.directory, "recovered");
  const recovery = await steps.run("the data comes back", () =>
    box.pleach("recover", "--sheet", people.sheet, "--to", target, "--set", "data"),
  );
  const verdict = await steps.run("bytes, modes, times, links and room are compared", () =>
    compareTrees(source, join(target, "data", source), PROBE),
  );
  for (const difference of verdict.value.differences) steps.say(`    ${difference}`);
  await steps.run("brest's operator makes the new box quimper", () =>
    admit(brest, box, brestOperator, ...replacing(people.sheet)),
  );
  await box.pleach("wait", "--for", "mesh", "--sites", "4", "--timeout", "30s");

  const newest = newestHead(recovery.value);
  const report = {
    meshFormedSeconds,
    editSeenByAllSeconds: edit.seconds,
    dns: dns.value,
    backup: {
      files: verdict.value.files,
      bytes: verdict.value.bytes,
      sealedBytes: signed.value.sealedBytes,
      shards: signed.value.verdict.pieces,
      seconds: backup.seconds,
      ownerSentBytes: signed.value.ownerSentBytes,
      minReceipts: signed.value.verdict.minReceipts,
      clientPeakMiB: backup.value["peakMiB"],
    },
    recovery: {
      seconds: recovery.seconds,
      identical: verdict.value.identical,
      confirmedBy: newest.confirmedBy,
      witnesses: newest.witnesses,
    },
  };
  const ok =
    dns.value.identical && report.backup.minReceipts >= COPIES && report.recovery.identical;
  return { schemaVersion: 1, ok, sites: mesh.sites.length, ...report };
}

/** By name; names and values are bytes, and latin1 keeps each byte apart. */
const PROBE: FileProbe = {
  xattrs: (path) =>
    new Map(readXattrs(path).map(([name, value]) => [Buffer.from(name).toString("latin1"), value])),
  dataRanges: (descriptor, sizeBytes) => JSON.stringify(dataRanges(descriptor, sizeBytes)),
};

function replacing(sheet: string): readonly string[] {
  return ["--replaces", "quimper", "--phrase-file", sheet];
}

async function untilAnswered(site: TestSite): Promise<void> {
  await waitFor(`${site.name} to know ${SERVICE}`, EDIT_TIMEOUT_MS, async () => {
    const { answers } = await askDns(site.address, site.dnsPort, `${SERVICE}.${ZONE}`, "A");
    return answers?.some((answer) => answer.type === "A" && answer.data === SERVICE_ADDRESS);
  });
}

interface DnsReport {
  readonly name: string;
  readonly identical: boolean;
  readonly serials: readonly (number | undefined)[];
}

/** The serial settles within seconds of the last edit; what differs after that differs for good. */
async function sameDns(sites: readonly TestSite[]): Promise<DnsReport> {
  const name = `${SERVICE}.${ZONE}`;
  const read = async (): Promise<DnsReport> => {
    const answers = await Promise.all(
      sites.map(async ({ address, dnsPort }) => {
        const { rcode, answers: records } = (await askDns(address, dnsPort, name, "A")) as {
          rcode?: string;
          answers?: unknown;
        };
        return JSON.stringify([rcode, records]);
      }),
    );
    const serials = await Promise.all(
      sites.map(({ address, dnsPort }) => serialOf(address, dnsPort, ZONE)),
    );
    const same = new Set(answers).size === 1 && new Set(serials).size === 1;
    return { name, identical: same && serials[0] !== undefined, serials };
  };
  try {
    return await waitFor("equal answers and serials", EDIT_TIMEOUT_MS, async () => {
      const report = await read();
      return report.identical ? report : undefined;
    });
  } catch {
    return read();
  }
}

interface SignedCopies {
  readonly verdict: ReceiptVerdict;
  readonly sealedBytes: number;
  readonly ownerSentBytes: number;
}

async function checkReceipts(
  site: TestSite,
  meshId: string,
  setId: string,
  sites: readonly TestSite[],
): Promise<SignedCopies> {
  const copies = await site.client.get(`/v1/backup/sets/${setId}/copies?detail=1`, copiesShape);
  const ids = await Promise.all(sites.map(siteIdOf));
  const verdict = verifyReceipts(copies, {
    meshId,
    setId,
    ownSite: await siteIdOf(site),
    sites: new Set(ids),
  });
  return { verdict, sealedBytes: verdict.bytes, ownerSentBytes: copies.ownerSentBytes };
}

async function siteIdOf(site: TestSite): Promise<string> {
  return text((await site.pleach("status"))["siteId"]);
}

function newestHead(recovered: Json): { confirmedBy: number; witnesses: number } {
  const { confirmedBy, witnesses } = recovered as Record<string, unknown>;
  if (typeof confirmedBy !== "number" || typeof witnesses !== "number") {
    throw new TypeError("the recovery did not say who confirmed the newest snapshot");
  }
  return { confirmedBy, witnesses };
}

function sayHowToPlay({ mesh }: TrialMesh, steps: Steps): void {
  steps.say("\nThe mesh is left running. To play with it:");
  for (const { name, configFile, running } of mesh.sites) {
    if (running) steps.say(`  scripts/pleach --config ${configFile} status    # ${name}`);
  }
  steps.say(`To end it:  pkill -f ${mesh.directory} && rm -rf ${mesh.directory}`);
}
