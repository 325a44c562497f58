/**
 * DNS servers of Debian on a port of their own, as others run them: as secondaries, and as
 * the one to compare with.
 *
 * None of them is changed by the package: each runs in the foreground with a configuration of the
 * test, and ends with it.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { openSync, closeSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { waitFor } from "../wait.ts";

const run = promisify(execFile);

/** BIND listens on addresses that an interface has, so on no other of 127.0.0.0/8. */
export const SERVER_ADDRESS = "127.0.0.1";
const START_MS = 20_000;
const DIG = ["+tries=1", "+timeout=2", "+nocookie", "+norecurse"];

export interface DebianServer {
  readonly port: number;
  /** What `dig` prints for these words, asked of this server. */
  dig(...words: readonly string[]): Promise<string>;
  /** What it has written last, for the message of a failure. */
  log(): Promise<string>;
  stop(): Promise<void>;
}

export interface ServerPlan {
  /** Free, see {@link freePort}. */
  readonly port: number;
  /** Made by the start; all files of the server lie in it. */
  readonly directory: string;
  /** A zone that it knows from the start, by which it is seen to answer. */
  readonly zone: string;
  /** Rest of its configuration. */
  readonly config: string;
  /** More options of BIND. */
  readonly options?: string;
}

/** BIND. `config` holds `key`, `zone` and other statements. */
export function startBind({ directory, ...plan }: ServerPlan): Promise<DebianServer> {
  const options = [
    `directory "${directory}";`,
    `listen-on port ${plan.port} { ${SERVER_ADDRESS}; };`,
    "listen-on-v6 { none; };",
    `pid-file "${directory}/pid"; session-keyfile "${directory}/session";`,
    "recursion no; dnssec-validation no; notify no; minimal-responses no;",
    "serial-query-rate 100;",
    plan.options ?? "",
  ].join("\n");
  const config = `options {\n${options}\n};\ncontrols { };\n${plan.config}`;
  return startServer({ directory, ...plan, config }, "named", (file) => [
    "-f",
    "-n",
    "1",
    "-c",
    file,
  ]);
}

/** Knot. `config` holds the sections `key`, `remote`, `acl` and `zone`. */
export function startKnot({ directory, ...plan }: ServerPlan): Promise<DebianServer> {
  const config = [
    "server:",
    `  rundir: ${directory}`,
    `  listen: ${SERVER_ADDRESS}@${plan.port}`,
    "  udp-workers: 1",
    "  tcp-workers: 1",
    "  background-workers: 1",
    "database:",
    `  storage: ${directory}`,
    "template:",
    "  - id: default",
    `    storage: ${directory}`,
    "log:",
    "  - target: stderr",
    "    any: info",
    plan.config,
  ].join("\n");
  return startServer({ directory, ...plan, config }, "knotd", (file) => ["-c", file]);
}

/** NSD. `config` holds `key:` and `zone:` sections. */
export function startNsd({ directory, ...plan }: ServerPlan): Promise<DebianServer> {
  const config = [
    "server:",
    `  ip-address: ${SERVER_ADDRESS}@${plan.port}`,
    `  username: ""`,
    `  zonesdir: "${directory}"`,
    `  database: ""`,
    `  pidfile: "${directory}/pid"`,
    `  xfrdfile: "${directory}/xfrd.state"`,
    `  zonelistfile: "${directory}/zone.list"`,
    `  xfrdir: "${directory}"`,
    "  server-count: 1",
    "  rrl-ratelimit: 0",
    "remote-control:",
    "  control-enable: no",
    plan.config,
  ].join("\n");
  return startServer({ directory, ...plan, config }, "nsd", (file) => ["-d", "-c", file]);
}

/** dnsmasq, which asks servers for zones. `config` is a file for `/etc/dnsmasq.d`. */
export function startDnsmasq({ directory, ...plan }: ServerPlan): Promise<DebianServer> {
  const config = [
    `port=${plan.port}`,
    `listen-address=${SERVER_ADDRESS}`,
    "bind-interfaces",
    "no-resolv",
    "no-hosts",
    "stop-dns-rebind",
    "user=root",
    plan.config,
  ].join("\n");
  return startServer({ directory, ...plan, config }, "dnsmasq", (file) => ["-k", "-C", file]);
}

/** unbound, which asks servers for zones. `config` is a file for `/etc/unbound/unbound.conf.d`. */
export function startUnbound({ directory, ...plan }: ServerPlan): Promise<DebianServer> {
  const config = [
    "server:",
    `  interface: ${SERVER_ADDRESS}@${plan.port}`,
    `  directory: "${directory}"`,
    `  pidfile: "${directory}/pid"`,
    '  chroot: ""',
    '  username: ""',
    "  use-syslog: no",
    "  do-daemonize: no",
    "  private-address: 192.168.0.0/16",
    "remote-control:",
    "  control-enable: no",
    plan.config,
  ].join("\n");
  return startServer({ directory, ...plan, config }, "unbound", (file) => ["-c", file]);
}

async function startServer(
  { port, directory, zone, config }: ServerPlan,
  program: string,
  args: (configFile: string) => readonly string[],
): Promise<DebianServer> {
  await mkdir(directory, { recursive: true });
  const file = join(directory, "server.conf");
  await writeFile(file, `${config}\n`);
  const logFile = join(directory, "log");
  const log = openSync(logFile, "a");
  const child = spawn(program, args(file), { stdio: ["ignore", log, log] });
  closeSync(log);
  // Secrets of a test are worth nothing; the servers read the file as whoever starts them.
  const dig = async (...words: readonly string[]): Promise<string> => {
    const { stdout } = await run("dig", [
      ...[`@${SERVER_ADDRESS}`, "-p", String(port), ...DIG],
      ...words,
    ]);
    return stdout;
  };
  const logTail = async (): Promise<string> =>
    (await readFile(logFile, "utf8").catch(() => "")).slice(-3000);
  const server = { port, dig, log: logTail, stop: () => end(child) };
  try {
    await waitFor(`${program} on port ${port}`, START_MS, async () => {
      if (child.exitCode !== null) return "ended" as const;
      const answer = await dig(zone, "SOA").catch(() => "");
      return answer.includes("status:") ? ("up" as const) : false;
    }).then((how) => {
      if (how === "ended") throw new Error(`${program} ended with ${child.exitCode}`);
    });
  } catch (cause) {
    await end(child);
    throw new Error(`${(cause as Error).message}\n${await logTail()}`, { cause });
  }
  return server;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), 5000);
  await exit;
  clearTimeout(late);
}

/** A port that nobody has at this moment, for UDP and most likely for TCP. */
export async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, SERVER_ADDRESS);
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}
