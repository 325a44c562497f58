/**
 * Reads shards where the daemon keeps them, for commands that may: two gigabytes need not be
 * copied through a socket that one thread of the daemon serves.
 *
 * The files are not trusted more than what comes through the socket: whoever reads opens every
 * frame by its tag and checks every chunk by its id.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { ShardId } from "../../../protocol/ids.ts";
import { HEADER_BYTES } from "../../../protocol/backup/shard.ts";
import { SHARD_BYTES, isShardSize } from "../../../protocol/backup/shard-id.ts";

/** Waits for nothing that only looks like a file. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Shards lie in folders by the beginning of their names. */
const FOLDER_NAME_LENGTH = 2;

/**
 * @param folder - Of the data set.
 * @param into - Has room for any shard.
 * @returns A part of `into`; undefined when the shard cannot be read here, for whatever reason:
 *   then the daemon is asked.
 */
export function readLocalShard(
  folder: string,
  shard: ShardId,
  into: Uint8Array,
): Uint8Array | undefined {
  return readLocal(folder, shard, into, into.length);
}

/** Like {@link readLocalShard} for the first bytes only: the header, which names the key epoch. */
export function readLocalHeader(folder: string, shard: ShardId): Uint8Array | undefined {
  return readLocal(folder, shard, new Uint8Array(HEADER_BYTES), SHARD_BYTES);
}

function readLocal(
  folder: string,
  shard: ShardId,
  into: Uint8Array,
  maxBytes: number,
): Uint8Array | undefined {
  let fd: number;
  try {
    fd = openSync(join(folder, shard.slice(0, FOLDER_NAME_LENGTH), shard), READ_FLAGS);
  } catch {
    return undefined;
  }
  try {
    const facts = fstatSync(fd);
    if (!facts.isFile() || !isShardSize(facts.size) || facts.size > maxBytes) return undefined;
    const wanted = Math.min(facts.size, into.length);
    let done = 0;
    while (done < wanted) {
      const read = readSync(fd, into, done, wanted - done, done);
      if (read === 0) return undefined;
      done += read;
    }
    return into.subarray(0, done);
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}
