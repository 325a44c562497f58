/**
 * A Debian 12 that is booted by systemd-nspawn, for tests of the installed service.
 *
 * The root is made by debootstrap in a temporary folder and thrown away. Commands run inside by
 * nsenter, so nothing has to be registered with the host's systemd (there may be none).
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const BOOT_TIMEOUT_MS = 90_000;
const COMMAND_TIMEOUT_MS = 120_000;

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Container {
  readonly root: string;
  readonly #nspawn: ChildProcess;
  readonly #scratch: string;

  private constructor(scratch: string, root: string, nspawn: ChildProcess) {
    this.#scratch = scratch;
    this.root = root;
    this.#nspawn = nspawn;
  }

  /**
   * Builds and boots one. The repository stands read-only in /opt/pleach.
   *
   * @throws Error when debootstrap fails or the machine is not up in 90 s.
   */
  static async boot(repository: string): Promise<Container> {
    const scratch = mkdtempSync(join(tmpdir(), "pleach-debian-"));
    const root = join(scratch, "root");
    const packages = "systemd,systemd-sysv,dbus,libstdc++6,acl,attr,bind9-dnsutils";
    const made = spawnSync(
      "debootstrap",
      ["--variant=minbase", `--include=${packages}`, "bookworm", root],
      { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
    );
    if (made.status !== 0) {
      rmSync(scratch, { recursive: true, force: true });
      throw new Error(`debootstrap failed:\n${made.stdout.slice(-2000)}\n${made.stderr}`);
    }
    mkdirSync(join(root, "opt/pleach"), { recursive: true });
    const modules = realpathSync(join(repository, "node_modules"));
    const binds = [`--bind-ro=${repository}:/opt/pleach`];
    if (modules !== join(repository, "node_modules")) {
      binds.push(`--bind-ro=${modules}:${modules}`);
    }
    const nspawn = spawn(
      "systemd-nspawn",
      ["-q", "-b", "--register=no", "--keep-unit", "--private-network", "-D", root, ...binds],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    const container = new Container(scratch, root, nspawn);
    try {
      await container.waitUntilUp();
    } catch (error) {
      await container.remove();
      throw error;
    }
    return container;
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

  async reboot(): Promise<void> {
    const before = this.#leader();
    this.run("systemctl", "reboot");
    const deadlineMs = Date.now() + BOOT_TIMEOUT_MS;
    while (this.#leader() === before || this.#leader() === undefined) {
      if (Date.now() > deadlineMs) throw new Error("the container did not go down for the reboot");
      await sleep(100);
    }
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

  async remove(): Promise<void> {
    if (this.#nspawn.exitCode === null) {
      const gone = new Promise<void>((resolve) => {
        this.#nspawn.once("exit", () => resolve());
      });
      this.#nspawn.kill("SIGKILL");
      await gone;
      await sleep(200);
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
