/**
 * Hours that pass at once for real processes: every clock of theirs, wall and monotonic, jumps by
 * the same time, and all timers that were due in between fire.
 *
 * By Debian's libfaketime, which each process loads and which reads the offset from one file.
 */
import { mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const HOUR_S = 3600;
const LIBRARIES = "/usr/lib";
const LIBRARY = "faketime/libfaketimeMT.so.1";

export class ShiftedTime {
  /** For every process that is to live in this time. */
  readonly env: Readonly<Record<string, string>>;
  readonly #directory: string;
  #hours = 0;

  private constructor(directory: string, library: string) {
    this.#directory = directory;
    this.env = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: join(directory, "offset"),
      // Else a process goes on in its old time for ten seconds.
      FAKETIME_NO_CACHE: "1",
    };
  }

  /** Time as it is. @throws Error when the library is not installed. */
  static async create(): Promise<ShiftedTime> {
    const folders = await readdir(LIBRARIES, { withFileTypes: true });
    for (const folder of folders.filter((each) => each.isDirectory())) {
      const library = join(LIBRARIES, folder.name, LIBRARY);
      const found = await readdir(join(library, "..")).catch(() => []);
      if (found.length === 0) continue;
      const time = new ShiftedTime(await mkdtemp(join(tmpdir(), "pl-")), library);
      await time.pass(0);
      return time;
    }
    throw new Error("libfaketime is missing: scripts/setup installs it");
  }

  /** Lets so many hours pass, for all processes at once. */
  async pass(hours: number): Promise<void> {
    this.#hours += hours;
    const offset = join(this.#directory, "offset");
    // Not a moment without an offset: that would be a jump back.
    await writeFile(`${offset}.new`, `+${this.#hours * HOUR_S}\n`);
    await rename(`${offset}.new`, offset);
  }

  async remove(): Promise<void> {
    await rm(this.#directory, { recursive: true });
  }
}
