/** Which paths of a data set are left out. */
import { join, matchesGlob } from "node:path";
import type { BackupConfig, Config } from "../../config/config.ts";

/** Keys at their usual place have their caches beside the daemon's data, like other programs. */
const USUAL_KEYS = "/etc/pleach/keys";
const USUAL_CACHE = "/var/lib/pleach-backup";

/** Folder of what a run may forget; it has names of files, so it is for root alone. */
export function cacheFolder({ keys }: Config): string {
  return keys === USUAL_KEYS ? USUAL_CACHE : join(keys, "cache");
}

/**
 * Tells what is left out: a pattern with a slash is compared with the whole path, one without with
 * the name. The daemon's own data are always left out: a backup of sealed shards would grow with
 * each run. So are the keys of key epochs: an older one must not be sealed with a newer one.
 *
 * @returns For a path whose bytes are characters.
 */
export function exclusion(set: BackupConfig, config: Config): (path: string) => boolean {
  const own = new Set([config.data, cacheFolder(config), join(config.keys, "epochs")].map(latin1));
  const patterns = set.exclude.map((pattern) => ({ pattern, whole: pattern.includes("/") }));
  return (path) => {
    if (own.has(path)) return true;
    if (patterns.length === 0) return false;
    const text = Buffer.from(path, "latin1").toString("utf8");
    const name = text.slice(text.lastIndexOf("/") + 1);
    return patterns.some(({ pattern, whole }) => matchesGlob(whole ? text : name, pattern));
  };
}

function latin1(path: string): string {
  return Buffer.from(path).toString("latin1");
}
