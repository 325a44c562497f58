/** Other DNS servers from Debian, each with one worker, for a zone file on an address of loopback. */
import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProcess } from "../../test-mesh/run-process.ts";
import { waitFor } from "../../test-mesh/wait.ts";

export interface Place {
  readonly address: string;
  readonly port: number;
}

export interface RunningServer extends Place {
  readonly pid: number;
  stop(): Promise<void>;
}

export interface RivalPlan extends Place {
  /** An empty folder of its own. */
  readonly folder: string;
  readonly zone: string;
  readonly zoneFile: string;
  /** The same addresses as lines of hosts(5). */
  readonly hostsFile: string;
}

const START_LIMIT_MS = 60_000;

export const RIVALS = {
  knot: startKnot,
  nsd: startNsd,
  dnsmasq: startDnsmasq,
} as const;

async function startKnot(plan: RivalPlan): Promise<RunningServer> {
  const config = `server:
    rundir: "${plan.folder}"
    listen: ${plan.address}@${plan.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "${plan.folder}"
control:
    listen: "${join(plan.folder, "knot.sock")}"
log:
  - target: stderr
    any: warning
zone:
  - domain: ${plan.zone}
    file: "${plan.zoneFile}"
    zonefile-sync: -1
    journal-content: none
`;
  const file = join(plan.folder, "knot.conf");
  await writeFile(file, config);
  return start(plan, "knotd", ["-c", file]);
}

/** Without `rrl-ratelimit: 0` Debian's NSD answers 200 questions a second. */
async function startNsd(plan: RivalPlan): Promise<RunningServer> {
  const config = `server:
  server-count: 1
  ip-address: ${plan.address}@${plan.port}
  username: ""
  zonesdir: "${plan.folder}"
  pidfile: "${join(plan.folder, "nsd.pid")}"
  xfrdfile: "${join(plan.folder, "xfrd.state")}"
  zonelistfile: "${join(plan.folder, "zone.list")}"
  xfrdir: "${plan.folder}"
  database: ""
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: ${plan.zone}
  zonefile: "${plan.zoneFile}"
`;
  const file = join(plan.folder, "nsd.conf");
  await writeFile(file, config);
  return start(plan, "nsd", ["-d", "-c", file]);
}

/** It has no workers, and answers from a list of hosts. */
async function startDnsmasq(plan: RivalPlan): Promise<RunningServer> {
  return start(plan, "dnsmasq", [
    ...["--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--no-resolv"],
    ...[`--port=${plan.port}`, `--listen-address=${plan.address}`, "--bind-interfaces"],
    ...["--no-hosts", `--addn-hosts=${plan.hostsFile}`, `--local=/${plan.zone}/`],
    ...["--log-facility=-", `--pid-file=${join(plan.folder, "pid")}`, "--local-ttl=300"],
  ]);
}

async function start(
  { address, port, zone, folder }: RivalPlan,
  program: string,
  args: readonly string[],
): Promise<RunningServer> {
  await mkdir(folder, { recursive: true });
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.setEncoding("utf8");
  child.stderr.on("data", (text: string) => (complaint = (complaint + text).slice(-2000)));
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended;
  };
  try {
    await waitUntilAnswered({ address, port }, `h0.${zone}`);
  } catch (cause) {
    await stop();
    throw new Error(`${program} does not answer: ${complaint}`, { cause });
  }
  return { address, port, pid: child.pid ?? 0, stop };
}

/** Resolves when a name has an address there. */
export async function waitUntilAnswered(place: Place, name: string, data = ""): Promise<void> {
  await waitFor(`${name} at ${place.address}`, START_LIMIT_MS, async () => {
    const where = [`@${place.address}`, "-p", String(place.port)];
    const words = ["+short", "+tries=1", "+timeout=1", name, "A"];
    const { stdout } = await runProcess("dig", [...where, ...words]);
    return stdout.trim() !== "" && stdout.includes(data);
  });
}
