/**
 * Pins the owner's public keys for the backup commands, in the directory that the daemon cannot
 * open: a daemon that lies about the box key would read every later backup.
 */
import { mkdir, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { toHex, type MeshId } from "../../../protocol/ids.ts";
import type { OwnerKeys } from "../../../protocol/keys/owner-keys.ts";
import { CommandError } from "../shell/exit.ts";

/** Makes the directory of the keys (0700), if its parent is there. */
export async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "EEXIST") return;
    throw new CommandError("E-FILE", `${path} cannot be made (${cause.message}).`, {
      hint: "Run the command as root: the keys lie where the daemon's user cannot read them.",
      cause,
    });
  });
}

/**
 * Writes `owner.json`, in place of one of a mesh that was never entered. It holds public keys only.
 *
 * @throws CommandError E-FILE.
 */
export async function pinOwner(directory: string, mesh: MeshId, keys: OwnerKeys): Promise<void> {
  const file = join(directory, "owner.json");
  const unfinished = `${file}.${process.pid}.tmp`;
  const content = {
    v: 1,
    meshId: mesh,
    ownerId: keys.ownerId,
    sign: toHex(keys.sign.publicKey),
    box: toHex(keys.box.publicKey),
  };
  await makeDirectory(directory);
  try {
    const handle = await open(unfinished, "w", 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(content)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(unfinished, file);
    const folder = await open(directory, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (cause) {
    throw new CommandError("E-FILE", `${file} cannot be written (${(cause as Error).message}).`, {
      hint: "Run the command as root: the keys lie where the daemon's user cannot read them.",
      cause,
    });
  }
}
