/**
 * Knot and NSD from Debian on loopback, with zones from files, to compare answers with.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../wait.ts";

const ADDRESS = "127.0.0.1";
const START_TIMEOUT_MS = 60_000;

export interface ZoneText {
  /** With its final dot. */
  readonly apex: string;
  readonly text: string;
}

export class ReferenceServer {
  readonly name: string;
  readonly address = ADDRESS;
  readonly port: number;
  readonly #process: ChildProcess;
  #errors = "";

  private constructor(name: string, port: number, line: readonly [string, ...string[]]) {
    this.name = name;
    this.port = port;
    const [program, ...words] = line;
    this.#process = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on("data", (part: Buffer) => (this.#errors += part.toString("utf8")));
    }
    this.#process.on("error", (error) => (this.#errors += error.message));
  }

  /** @param directory - An empty one, for everything that it writes. */
  static async knot(directory: string, zones: readonly ZoneText[]): Promise<ReferenceServer> {
    const files = await writeZones(directory, zones);
    const port = await freePort();
    const config = join(directory, "knot.conf");
    await writeFile(
      config,
      [
        `server:\n    listen: ${ADDRESS}@${port}\n    rundir: ${directory}`,
        `    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1`,
        `control:\n    listen: ${join(directory, "knot.sock")}`,
        `log:\n  - target: stderr\n    any: warning`,
        `database:\n    storage: ${join(directory, "db")}`,
        `template:\n  - id: default\n    zonefile-sync: -1\n    journal-content: none`,
        "zone:",
        ...zones.map(({ apex }, index) => `  - domain: ${apex}\n    file: ${files[index]}`),
        "",
      ].join("\n"),
    );
    return new ReferenceServer("Knot", port, ["knotd", "-c", config]);
  }

  /** @param directory - An empty one, for everything that it writes. */
  static async nsd(directory: string, zones: readonly ZoneText[]): Promise<ReferenceServer> {
    const files = await writeZones(directory, zones);
    const port = await freePort();
    const config = join(directory, "nsd.conf");
    await writeFile(
      config,
      [
        `server:\n  ip-address: ${ADDRESS}@${port}\n  username: ""\n  chroot: ""\n  database: ""`,
        `  zonesdir: "${directory}"\n  pidfile: "${join(directory, "nsd.pid")}"`,
        `  xfrdfile: ""\n  zonelistfile: "${join(directory, "zone.list")}"\n  xfrdir: "${directory}"`,
        "  server-count: 1\n  rrl-ratelimit: 0\n  rrl-whitelist-ratelimit: 0\n  round-robin: no",
        "remote-control:\n  control-enable: no",
        ...zones.map(({ apex }, index) => `zone:\n  name: ${apex}\n  zonefile: "${files[index]}"`),
        "",
      ].join("\n"),
    );
    return new ReferenceServer("NSD", port, ["nsd", "-d", "-c", config]);
  }

  /** Resolves when it answers this question. @throws Error with what it printed. */
  async ready(question: Uint8Array): Promise<void> {
    await waitFor(`${this.name}`, START_TIMEOUT_MS, async () => {
      if (this.#process.exitCode !== null) throw new Error(`${this.name} ended`);
      const answer = await askOnce(this.port, question);
      return answer === undefined ? undefined : true;
    }).catch((cause: unknown) => {
      throw new Error(`${this.name} does not answer: ${this.#errors.slice(-2000)}`, { cause });
    });
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    const cut = setTimeout(() => this.#process.kill("SIGKILL"), 5000);
    await ended;
    clearTimeout(cut);
  }
}

async function writeZones(directory: string, zones: readonly ZoneText[]): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  return Promise.all(
    zones.map(async ({ apex, text }) => {
      const file = join(directory, `${apex}zone`);
      await writeFile(file, text);
      return file;
    }),
  );
}

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, ADDRESS);
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}

async function askOnce(port: number, question: Uint8Array): Promise<Uint8Array | undefined> {
  const socket = createSocket("udp4");
  try {
    const answer = once(socket, "message") as Promise<[Uint8Array]>;
    socket.send(question, port, ADDRESS);
    return await Promise.race([answer.then(([bytes]) => bytes), sleep(500, undefined)]);
  } finally {
    socket.close();
  }
}
