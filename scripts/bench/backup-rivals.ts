/** restic and borg, each encrypted, with zstd at about level 3 and caches of their own. */
import { join } from "node:path";
import type { Contestant } from "./backup-contestant.ts";
import { run } from "./backup-measure.ts";

const PASSPHRASE = "correct horse battery staple";

export const restic: Contestant = {
  async open(folder, data) {
    const stored = join(folder, "repository");
    const env = {
      RESTIC_PASSWORD: PASSPHRASE,
      RESTIC_REPOSITORY: stored,
      RESTIC_CACHE_DIR: join(folder, "cache"),
    };
    await run({ words: ["restic", "init"], env });
    // Before 0.14 it cannot compress.
    const compresses = (await run({ words: ["restic", "backup", "--help"] })).includes(
      "--compression",
    );
    const compression = compresses ? ["--compression", "auto"] : [];
    return {
      stored,
      backup: () => ({ words: ["restic", "--quiet", "backup", ...compression, data], env }),
      restore: (target) => ({
        words: ["restic", "--quiet", "restore", "latest", "--target", target],
        env,
      }),
      close: async () => {},
    };
  },
};

export const borg: Contestant = {
  async open(folder, data) {
    const stored = join(folder, "repository");
    const env = {
      BORG_PASSPHRASE: PASSPHRASE,
      BORG_REPO: stored,
      BORG_BASE_DIR: join(folder, "home"),
    };
    await run({ words: ["borg", "init", "--encryption", "repokey-blake2"], env });
    let runs = 0;
    return {
      stored,
      backup: () => ({
        words: ["borg", "create", "--compression", "zstd,3", `::run-${++runs}`, data],
        env,
      }),
      restore: (target) => ({ words: ["borg", "extract", `::run-${runs}`], env, cwd: target }),
      close: async () => {},
    };
  },
};
