/** Machines with their own interfaces: network namespaces with cables between them. Needs root. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export class Namespaces {
  readonly #names = new Map<string, string>();

  /** @param name - Unique within the test. */
  add(name: string): void {
    const own = `pl-${process.pid}-${name}`;
    this.#names.set(name, own);
    ip("netns", "add", own);
    ip("-n", own, "link", "set", "lo", "up");
  }

  /**
   * A cable between two machines; both ends have the same name.
   *
   * @param ends - Machine and address with its bits, such as `192.168.77.2/24`.
   */
  cable(name: string, ...ends: readonly (readonly [machine: string, address: string])[]): void {
    const [[a] = [""], [b] = [""]] = ends;
    const peer = ["peer", "name", name, "netns", this.#own(b)];
    ip("-n", this.#own(a), "link", "add", name, "type", "veth", ...peer);
    for (const [machine, address] of ends) {
      ip("-n", this.#own(machine), "address", "add", address, "dev", name);
      ip("-n", this.#own(machine), "link", "set", name, "up");
    }
  }

  /** A program there, its output as a pipe. */
  spawn(machine: string, ...words: readonly string[]): ChildProcess {
    return spawn("ip", ["netns", "exec", this.#own(machine), ...words], {
      stdio: ["pipe", "pipe", "inherit"],
    });
  }

  /** A program in `directory` that runs Node there; for {@link SiteOptions.node}. */
  nodeOf(machine: string, directory: string): string {
    const file = join(directory, `node-${machine}`);
    const command = `exec ip netns exec ${this.#own(machine)} ${process.execPath} "$@"`;
    writeFileSync(file, `#!/bin/sh\n${command}\n`, { mode: 0o755 });
    return file;
  }

  run(machine: string, ...words: readonly string[]): string {
    return execFileSync("ip", ["netns", "exec", this.#own(machine), ...words], {
      encoding: "utf8",
      timeout: 60_000,
    });
  }

  /** Interfaces and cables go with their machines. */
  remove(): void {
    for (const own of this.#names.values()) ip("netns", "delete", own);
    this.#names.clear();
  }

  #own(name: string): string {
    const own = this.#names.get(name);
    if (own === undefined) throw new Error(`there is no machine ${name}`);
    return own;
  }
}

function ip(...words: readonly string[]): void {
  execFileSync("ip", words, { stdio: ["ignore", "ignore", "inherit"] });
}
