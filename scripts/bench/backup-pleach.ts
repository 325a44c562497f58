/** Pleach: a mesh of one site with a real daemon; the command alone is timed. */
import { join } from "node:path";
import { TestMesh } from "../../test-mesh/harness.ts";
import type { Contestant } from "./backup-contestant.ts";

const SET = "data";

export const pleach: Contestant = {
  async open(_folder, data) {
    const mesh = await TestMesh.create();
    try {
      const site = await mesh.site("quimper", { dns: false, give: "1 TiB" });
      await site.start();
      await mesh.found(site);
      await site.pleach("backup", "add", SET, "--path", data);
      return {
        stored: join(site.dataDirectory, "shards"),
        backup: () => ({ words: site.commandLine("--json", "backup", "run", SET) }),
        restore: (target) => ({
          words: site.commandLine("--json", "restore", SET, "--to", target),
        }),
        close: () => mesh.close(),
      };
    } catch (cause) {
      const logs = await mesh.logs();
      await mesh.close();
      throw new Error(`${(cause as Error).message}\n${logs}`, { cause });
    }
  },
};
