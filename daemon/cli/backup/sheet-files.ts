/**
 * Remembers where recovery sheets were written, so that `status` warns until they are gone: the
 * sheet is for paper, and whoever finds the file reads every backup.
 *
 * The list lies beside the backup keys. Who cannot read that directory is not warned.
 */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";

const MAX_FILES = 100;
const LIST = z.strictObject({ v: z.literal(1), files: z.array(z.string()).max(MAX_FILES) });

/** Adds a file to the list; without a place for the list nothing is remembered. */
export async function rememberSheet(keys: string, file: string): Promise<void> {
  const files = new Set([...(await sheetsLeft(keys)), resolve(file)]);
  const list = { v: 1, files: [...files].slice(-MAX_FILES) };
  // A convenience: the sheet is written, and that must not fail for want of a reminder.
  await writeFile(join(keys, "sheets.json"), JSON.stringify(list), { mode: 0o600 }).catch(() => {});
}

/** The sheets that are still there. */
export async function sheetsLeft(keys: string): Promise<readonly string[]> {
  let files: readonly string[];
  try {
    files = LIST.parse(JSON.parse(await readFile(join(keys, "sheets.json"), "utf8"))).files;
  } catch {
    return [];
  }
  const left = await Promise.all(
    files.map(async (file) => {
      const there = await stat(file).then(
        () => true,
        () => false,
      );
      return there ? [file] : [];
    }),
  );
  return left.flat();
}
