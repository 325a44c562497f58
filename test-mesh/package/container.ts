/**
 * A Debian 12 that is booted by systemd-nspawn, for tests of the installed service.
 *
 * The root is made by debootstrap in a temporary folder and thrown away. Commands run inside by
 * nsenter, so nothing has to be registered with the host's systemd (there may be none).
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const BOOT_TIMEOUT_MS = 90_000;
const COMMAND_TIMEOUT_MS = 120_000;
const DEBOOTSTRAP_TIMEOUT_MS = 400_000;
const END_TIMEOUT_MS = 10_000;

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What systemd-nspawn ends with when the machine wants to be started again. */
const EXIT_REBOOT = 133;

export class Container {
  readonly root: string;
  readonly #scratch: string;
  readonly #repository: string;
  #nspawn: ChildProcess;

  private constructor(scratch: string, repository: string) {
    this.#scratch = scratch;
    this.root = join(scratch, "root");
    this.#repository = repository;
    this.#nspawn = this.#start();
  }

  /**
   * Builds and boots one. The repository stands read-only in /opt/pleach.
   *
   * @throws Error when debootstrap fails or the machine is not up in 90 s.
   */
  static async boot(repository: string): Promise<Container> {
    const scratch = mkdtempSync(join(tmpdir(), "pleach-debian-"));
    const root = join(scratch, "root");
    const packages =
      "systemd,systemd-sysv,dbus,libstdc++6,acl,attr,bind9-dnsutils,systemd-resolved";
    const made = spawnSync(
      "debootstrap",
      ["--variant=minbase", `--include=${packages}`, "bookworm", root],
      { encoding: "utf8", timeout: DEBOOTSTRAP_TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 },
    );
    if (made.status !== 0) {
      rmSync(scratch, { recursive: true, force: true });
      throw new Error(`debootstrap failed:\n${made.stdout.slice(-2000)}\n${made.stderr}`);
    }
    mkdirSync(join(root, "opt/pleach"), { recursive: true });
    const container = new Container(scratch, repository);
    try {
      await container.waitUntilUp();
    } catch (error) {
      await container.remove();
      throw error;
    }
    return container;
  }

  #start(): ChildProcess {
    const repository = this.#repository;
    const modules = realpathSync(join(repository, "node_modules"));
    const binds = [`--bind-ro=${repository}:/opt/pleach`];
    if (modules !== join(repository, "node_modules")) {
      binds.push(`--bind-ro=${modules}:${modules}`);
    }
    return spawn(
      "systemd-nspawn",
      [
        ...["-q", "-b", "--register=no", "--keep-unit", "--private-network"],
        ...[`--machine=${basename(this.#scratch)}`, "-D", this.root, ...binds],
      ],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
  }

  /** Runs a command inside; the words are not read by a shell. */
  run(...words: readonly string[]): Finished {
    const leader = this.#leader();
    if (leader === undefined) return { status: null, stdout: "", stderr: "the container is down" };
    const result = spawnSync("nsenter", ["-t", String(leader), "-a", "--", ...words], {
      encoding: "utf8",
      timeout: COMMAND_TIMEOUT_MS,
      maxBuffer: 64 * 1024 * 1024,
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", LANG: "C.UTF-8" },
    });
    return { status: result.status, stdout: result.stdout, stderr: result.stderr };
  }

  /** The same, and a failed command is an error with all that it said. */
  must(...words: readonly string[]): string {
    const { status, stdout, stderr } = this.run(...words);
    if (status !== 0) {
      throw new Error(`${words.join(" ")} ended with ${status}\n${stdout}\n${stderr}`);
    }
    return stdout;
  }

  /** Gives the machine an interface `lan0` with this address; it is gone after a reboot. */
  plugIntoLan(address: string): void {
    const commands = [
      "ip link add lan0 type veth peer name lan1",
      `ip address add ${address} dev lan0`,
      "ip link set lan0 up",
      "ip link set lan1 up",
    ].join(" && ");
    const leader = String(this.#leader() ?? 0);
    const { status, stderr } = spawnSync("nsenter", ["-t", leader, "-n", "sh", "-c", commands], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`no interface could be made: ${stderr}`);
  }

  /** @throws Error when the machine does not go down, or is not up again in 90 s. */
  async reboot(): Promise<void> {
    this.run("systemctl", "reboot");
    const deadlineMs = Date.now() + BOOT_TIMEOUT_MS;
    while (this.#nspawn.exitCode === null) {
      if (Date.now() > deadlineMs) throw new Error("the container did not go down for the reboot");
      await sleep(100);
    }
    if (this.#nspawn.exitCode !== EXIT_REBOOT) {
      throw new Error(`the container ended with ${this.#nspawn.exitCode} instead of rebooting`);
    }
    this.#nspawn = this.#start();
    await this.waitUntilUp();
  }

  async waitUntilUp(): Promise<void> {
    const deadlineMs = Date.now() + BOOT_TIMEOUT_MS;
    for (;;) {
      const state = this.run("systemctl", "is-system-running").stdout.trim();
      if (state === "running" || state === "degraded") return;
      if (Date.now() > deadlineMs) throw new Error(`the container did not boot: ${state}`);
      await sleep(200);
    }
  }

  /** Ends everything inside and deletes the root. */
  async remove(): Promise<void> {
    const nspawn = this.#nspawn;
    if (nspawn.exitCode === null && nspawn.signalCode === null) {
      const gone = new Promise<void>((resolve) => nspawn.once("exit", () => resolve()));
      // With its first process a machine ends; without systemd-nspawn it would live on.
      const leader = this.#leader();
      if (leader !== undefined) process.kill(leader, "SIGKILL");
      const hard = setTimeout(() => nspawn.kill("SIGKILL"), END_TIMEOUT_MS);
      await gone;
      clearTimeout(hard);
    }
    rmSync(this.#scratch, { recursive: true, force: true });
  }

  /** The first process inside, or undefined while there is none. */
  #leader(): number | undefined {
    const children = `/proc/${this.#nspawn.pid}/task/${this.#nspawn.pid}/children`;
    if (!existsSync(children)) return undefined;
    const first = readFileSync(children, "utf8").trim().split(" ")[0];
    return first === undefined || first === "" ? undefined : Number(first);
  }
}
