/**
 * Copies the program, its production packages and one Node to a folder, and nothing else.
 *
 * Which packages are for production is what package-lock.json says, so no registry is asked and
 * no npm is needed on the machine.
 *
 * Usage: copy-program.ts FROM TO x64|arm64
 */
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const PROGRAM = [
  "daemon",
  "protocol",
  "scripts/pleach",
  "crates-free-docs",
  "package.json",
  "tsconfig.json",
  "LICENSE",
  "README.md",
];

/** Parts of Node that only compiling needs: 67 MB of headers, and manuals. */
const NODE_FOR_BUILDING = ["/include", "/share"];

const Lock = z.object({
  packages: z.record(
    z.string(),
    z.object({ dev: z.boolean().optional(), optional: z.boolean().optional() }),
  ),
});

const [from, to, arch] = process.argv.slice(2);
if (from === undefined || to === undefined || (arch !== "x64" && arch !== "arm64")) {
  throw new Error("usage: copy-program.ts FROM TO x64|arm64");
}

for (const part of PROGRAM) {
  cpSync(join(from, part), join(to, part), {
    recursive: true,
    filter: (path) => !path.endsWith(".test.ts"),
  });
}
const { packages } = Lock.parse(JSON.parse(readFileSync(join(from, "package-lock.json"), "utf8")));
for (const [path, { dev, optional }] of Object.entries(packages)) {
  if (path === "" || dev === true) continue;
  if (path.startsWith("node_modules/node-linux-") && !path.endsWith(`-${arch}`)) continue;
  const source = join(from, path);
  if (!existsSync(source)) {
    if (optional === true) continue;
    process.stderr.write(
      `error E-SETUP: ${source} is missing.\n  Nothing was installed. Run: scripts/setup\n`,
    );
    process.exit(1);
  }
  // A package below another one stands in the lock by itself.
  const left = path.startsWith("node_modules/node-linux-")
    ? [...NODE_FOR_BUILDING, "/node_modules"]
    : ["/node_modules"];
  cpSync(source, join(to, path), {
    recursive: true,
    filter: (file) => !left.some((name) => file.slice(source.length).startsWith(name)),
  });
}
mkdirSync(join(to, "bin"));
symlinkSync(`../node_modules/node-linux-${arch}/bin/node`, join(to, "bin", "node"));
