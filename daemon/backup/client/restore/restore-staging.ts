/**
 * Where a restore keeps what is not complete: a directory in its target, on the same file system.
 *
 * Files of several pieces grow in it and are moved to their names when they are complete, so that
 * no name in the target has half of its content. It says, too, which restore the target belongs
 * to: the same command goes on with it after a crash or a full disk. It is gone at the end.
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { BackupError } from "../error.ts";
import { pathIn } from "./file-writer.ts";

/** No path of a snapshot may begin with it. */
export const STAGING_NAME = ".pleach-restore";
const MARKER_NAME = "what";
const MAX_MARKER_BYTES = 64 * 1024;
const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

export class RestoreStaging {
  readonly fd: number;
  /** Whether a restore was begun here before. */
  readonly isResumed: boolean;
  readonly #targetFd: number;
  #files = 0;

  private constructor(targetFd: number, fd: number, isResumed: boolean) {
    this.#targetFd = targetFd;
    this.fd = fd;
    this.isResumed = isResumed;
  }

  /**
   * @param targetFd - Of the target.
   * @param what - Says which snapshot and which paths: the same words for the same restore.
   * @throws BackupError E-RESTORE-TARGET when another restore was begun here.
   */
  static open(targetFd: number, what: string): RestoreStaging {
    const path = pathIn(targetFd, Buffer.from(STAGING_NAME));
    try {
      mkdirSync(path, 0o700);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    const fd = openOwn(path);
    try {
      const { uid, mode } = fstatSync(fd);
      // Somebody else's, or open to others: what lies in it may be anything.
      if (uid !== process.geteuid?.() || (mode & 0o077) !== 0) throw otherRestore();
      const marker = pathIn(fd, Buffer.from(MARKER_NAME));
      const known = readMarker(marker);
      if (known !== undefined && known !== what) throw otherRestore();
      if (known === undefined) writeFileSync(marker, what, { mode: 0o600 });
      // The target's own descriptor is closed when everything in it is complete.
      const ownTargetFd = openSync(pathIn(targetFd, Buffer.from(".")), FOLDER_FLAGS);
      return new RestoreStaging(ownTargetFd, fd, known !== undefined);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** The name of the next file: the same one each time that the same restore is run. */
  nextName(): Uint8Array {
    return Buffer.from(String(this.#files++));
  }

  /** All is in its place. */
  end(): void {
    unlinkSync(pathIn(this.fd, Buffer.from(MARKER_NAME)));
    rmdirSync(pathIn(this.#targetFd, Buffer.from(STAGING_NAME)));
    this.#close();
  }

  /** The restore failed: what it has done stays for the next attempt, if it has done anything. */
  leave(): void {
    const isBare = (fd: number): boolean => readdirSync(`/proc/self/fd/${fd}`).length === 1;
    if (isBare(this.#targetFd) && isBare(this.fd)) this.end();
    else this.#close();
  }

  #close(): void {
    closeSync(this.fd);
    closeSync(this.#targetFd);
  }
}

/** Undefined when there is none, or an empty one: the crash came before any file. */
function readMarker(path: Buffer): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const facts = fstatSync(fd);
    if (!facts.isFile() || facts.size > MAX_MARKER_BYTES) throw otherRestore();
    return facts.size === 0 ? undefined : readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}

function openOwn(path: Buffer): number {
  try {
    return openSync(path, FOLDER_FLAGS);
  } catch {
    throw otherRestore();
  }
}

function otherRestore(): BackupError {
  return new BackupError("E-RESTORE-TARGET", "Another restore was begun in the target.", {
    hint: "Name a directory that is empty or does not exist yet.",
  });
}
