/** One real site of a test: its directory, its configuration, its daemon, its command line. */
import { spawn, type ChildProcess } from "node:child_process";
import { openSync, closeSync } from "node:fs";
import { chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ControlClient } from "../daemon/control/client.ts";
import { aboutShape } from "../daemon/control/shapes.ts";
import { runProcess, type RunOptions, type RunResult } from "./run-process.ts";
import { waitFor } from "./wait.ts";

export interface SiteOptions {
  /** What it lends. Default: "4 GiB". */
  readonly give?: string;
  /** Whether it answers DNS. Default: true. */
  readonly dns?: boolean;
  /** Where it answers DNS instead of at its own address: a list in TOML. */
  readonly dnsListen?: string;
  /** Threads that answer UDP. Default: what the daemon's is. */
  readonly dnsThreads?: number;
  /** More lines of `[dns]`. */
  readonly dnsLines?: readonly string[];
  /** Whether kad-dht is on. Default: true. */
  readonly dht?: boolean;
  /** User and group that the daemon runs as; needs root. Default: ours. Commands stay ours. */
  readonly user?: number;
  /** Entry of the program to run. Default: the one of this repository. */
  readonly program?: string;
  /** Node that runs it. Default: the one that runs the test. */
  readonly node?: string;
  /** Where others are to reach it instead of at its own address, as HOST:PORT. */
  readonly announce?: readonly string[];
  /** More TOML at the end, such as `[[backup]]` tables. */
  readonly toml?: string;
  /** Called with the folder of the site before anything is in it, such as to mount a disk there. */
  readonly onFolder?: (folder: string) => Promise<void>;
  /** Environment of its daemon and its commands, beside that of the test. */
  readonly env?: Readonly<Record<string, string>>;
}

export type Json = Readonly<Record<string, unknown>>;

const PROGRAM = new URL("../daemon/start.js", import.meta.url).pathname;
/**
 * Compiled code of daemons, for those that come after: a start takes 0.5 s of CPU less. A daemon of
 * the service keeps none.
 */
const CODE_CACHE = new URL("../node_modules/.cache/pleach-tests", import.meta.url).pathname;
const MESH_PORT = 7411;
const DNS_PORT = 5300;
/** A machine that is busy with other things takes a minute. */
const START_TIMEOUT_MS = 180_000;
/** A clean stop has 10 s. */
const STOP_TIMEOUT_MS = 12_000;

interface SitePlan {
  readonly name: string;
  readonly directory: string;
  readonly address: string;
  readonly options: SiteOptions;
}

export class TestSite {
  readonly name: string;
  readonly directory: string;
  readonly address: string;
  readonly configFile: string;
  readonly dataDirectory: string;
  readonly keysDirectory: string;
  readonly logFile: string;
  readonly meshPort = MESH_PORT;
  readonly dnsPort = DNS_PORT;
  readonly client: ControlClient;
  readonly #env: Readonly<Record<string, string>>;
  readonly #user: number | undefined;
  readonly #node: string;
  readonly #nodeArgs: readonly string[];
  #daemon: ChildProcess | undefined;

  private constructor({ name, directory, address, options }: SitePlan) {
    this.name = name;
    this.directory = directory;
    this.address = address;
    this.configFile = join(directory, "pleach.toml");
    this.dataDirectory = join(directory, "data");
    this.keysDirectory = join(directory, "keys");
    this.logFile = join(directory, "daemon.log");
    this.client = new ControlClient(join(directory, "socket"));
    this.#env = options.env ?? {};
    this.#user = options.user;
    this.#node = options.node ?? process.execPath;
    this.#nodeArgs = ["--disable-warning=ExperimentalWarning", options.program ?? PROGRAM];
  }

  static async create(plan: SitePlan): Promise<TestSite> {
    const site = new TestSite(plan);
    await mkdir(site.keysDirectory, { mode: 0o700 });
    const { user } = plan.options;
    if (user !== undefined) await chown(plan.directory, user, user);
    await site.configure(plan.options);
    return site;
  }

  /** Writes the configuration; a running daemon has to be restarted or reloaded. */
  async configure(options: SiteOptions): Promise<void> {
    const dns = options.dns === false ? [] : [`${this.address}:${DNS_PORT}`];
    const lines = [
      `site = ${JSON.stringify(this.name)}`,
      `data = ${JSON.stringify(this.dataDirectory)}`,
      `socket = ${JSON.stringify(this.client.socketPath)}`,
      `keys = ${JSON.stringify(this.keysDirectory)}`,
      "[mesh]",
      `listen = ["${this.address}:${MESH_PORT}"]`,
      `announce = ${JSON.stringify(options.announce ?? [])}`,
      `dht = ${options.dht ?? true}`,
      "[dns]",
      `listen = ${options.dnsListen ?? JSON.stringify(dns)}`,
      ...(options.dnsThreads === undefined ? [] : [`threads = ${options.dnsThreads}`]),
      ...(options.dnsLines ?? []),
      "[give]",
      `space = ${JSON.stringify(options.give ?? "4 GiB")}`,
      options.toml ?? "",
    ];
    await writeFile(this.configFile, `${lines.join("\n")}\n`);
  }

  /** Starts the daemon and waits until it answers. */
  async start(timeoutMs = START_TIMEOUT_MS): Promise<void> {
    if (this.#daemon !== undefined) throw new Error(`${this.name} runs already`);
    const log = openSync(this.logFile, "a");
    const [node, ...args] = this.commandLine("daemon");
    const daemon = spawn(node, args, {
      stdio: ["ignore", log, log],
      ...(this.#user === undefined ? {} : { uid: this.#user, gid: this.#user }),
      env: { ...process.env, NODE_COMPILE_CACHE: CODE_CACHE, ...this.#env },
    });
    closeSync(log);
    this.#daemon = daemon;
    let ended = false;
    daemon.once("exit", () => (ended = true));
    await waitFor(`the daemon of ${this.name}`, timeoutMs, async () => {
      if (ended) return "ended" as const;
      await this.client.get("/v1/about", aboutShape, { timeoutMs: 2000 });
      return "up" as const;
    }).then((how) => {
      if (how === "up") return;
      this.#daemon = undefined;
      throw new Error(`the daemon of ${this.name} ended with ${daemon.exitCode}: ${this.logFile}`);
    });
  }

  get running(): boolean {
    return this.#daemon !== undefined && this.#daemon.exitCode === null;
  }

  /** Process id of the daemon. @throws Error when it does not run. */
  get pid(): number {
    const pid = this.#daemon?.pid;
    if (pid === undefined) throw new Error(`${this.name} does not run`);
    return pid;
  }

  /** SIGTERM. @returns The exit code. @throws Error when it takes longer than a clean stop may. */
  async stop(): Promise<number | null> {
    const daemon = this.#daemon;
    if (daemon === undefined) return 0;
    const exit = exited(daemon);
    daemon.kill("SIGTERM");
    const result = await Promise.race([
      exit,
      sleep(STOP_TIMEOUT_MS, "late" as const, { ref: false }),
    ]);
    if (result === "late") {
      await this.kill();
      throw new Error(`${this.name} did not stop within ${STOP_TIMEOUT_MS} ms`);
    }
    this.#daemon = undefined;
    return result;
  }

  /** SIGSTOP: the daemon does nothing more until it is killed. */
  freeze(): void {
    this.#daemon?.kill("SIGSTOP");
  }

  /** SIGKILL, as a power cut of the process. */
  async kill(): Promise<void> {
    const daemon = this.#daemon;
    this.client.close();
    if (daemon === undefined) return;
    const exit = exited(daemon);
    daemon.kill("SIGKILL");
    await exit;
    this.#daemon = undefined;
  }

  /** Runs a command of this site, whatever its exit code. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const [node, ...words] = this.commandLine(...args);
    return runProcess(node, words, { ...options, env: { ...this.#env, ...options.env } });
  }

  /** Program and arguments of a command of this site. */
  commandLine(...args: readonly string[]): readonly [string, ...string[]] {
    // As the service starts it: scripts/service/pleach.service.
    const young = args[0] === "daemon" ? ["--max-semi-space-size=4"] : [];
    return [this.#node, ...young, ...this.#nodeArgs, "--config", this.configFile, ...args];
  }

  /**
   * Runs a command with `--json`.
   *
   * @returns Its last line.
   * @throws Error with what it printed when it ends with another code than 0.
   */
  async pleach(...args: readonly string[]): Promise<Json> {
    const result = await this.run(["--json", ...args]);
    if (result.exit !== 0) {
      throw new Error(
        `${this.name}: pleach ${args.join(" ")}: exit ${result.exit}\n${result.stdout}${result.stderr}`,
      );
    }
    return lastLine(result.stdout);
  }

  /** Runs a command with `--json` that has to fail. @returns Its code and the error it printed. */
  async refused(...args: readonly string[]): Promise<{ exit: number | null; error: Json }> {
    const result = await this.run(["--json", ...args]);
    if (result.exit === 0) throw new Error(`pleach ${args.join(" ")} did not fail`);
    return { exit: result.exit, error: (lastLine(result.stdout)["error"] ?? {}) as Json };
  }
}

function lastLine(text: string): Json {
  const line = text.trimEnd().split("\n").at(-1) ?? "";
  return JSON.parse(line) as Json;
}

function exited(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("exit", (code) => resolve(code)));
}
