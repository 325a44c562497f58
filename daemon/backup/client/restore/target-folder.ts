/**
 * A directory that a restore fills.
 *
 * It is made by us, opened relative to its parent without following a link, closed to everybody
 * else until it is complete, and gets its own metadata last: every file in it changes its times.
 */
import { closeSync, constants, fchmodSync, fchownSync, mkdirSync, openSync } from "node:fs";
import { attempt, pathIn, setXattrs, type FileMeta, type Problem } from "./file-writer.ts";
import { reopenFolder } from "./restore-resume.ts";
import { setModified } from "../system-calls.ts";

const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const UNFINISHED_MODE = 0o700;
/** Descriptors that stay open for later use, beyond those in use. */
const MAX_IDLE = 256;

/** Told when a directory is complete. */
export type FolderDone = (folder: TargetFolder, problems: readonly Problem[]) => void;

/** Open folders that nobody uses at the moment, the one used last at the end. */
export class IdleFolders {
  readonly #folders = new Set<TargetFolder>();

  used(folder: TargetFolder): void {
    this.#folders.delete(folder);
    this.#folders.add(folder);
    for (const oldest of this.#folders) {
      if (this.#folders.size <= MAX_IDLE) return;
      this.#folders.delete(oldest);
      oldest.closeIdle();
    }
  }

  forget(folder: TargetFolder): void {
    this.#folders.delete(folder);
  }
}

export class TargetFolder {
  readonly parent: TargetFolder | undefined;
  readonly name: Uint8Array;
  /** Undefined for the target itself, whose metadata is left alone. */
  readonly meta: FileMeta | undefined;
  readonly #idle: IdleFolders;
  readonly #onDone: FolderDone;
  #fd: number | undefined;
  #pins = 0;
  /** The walk of the tree counts as one. */
  #pending = 1;

  private constructor(
    parent: TargetFolder | undefined,
    name: Uint8Array,
    meta: FileMeta | undefined,
    idle: IdleFolders,
    onDone: FolderDone,
  ) {
    this.parent = parent;
    this.name = name;
    this.meta = meta;
    this.#idle = idle;
    this.#onDone = onDone;
  }

  /** @param fd - The target, opened; it stays open until everything in it is complete. */
  static target(fd: number, onDone: FolderDone): TargetFolder {
    const folder = new TargetFolder(
      undefined,
      new Uint8Array(0),
      undefined,
      new IdleFolders(),
      onDone,
    );
    folder.#fd = fd;
    folder.#pins = 1;
    return folder;
  }

  /**
   * Makes a directory in this one.
   *
   * @param isResumed - It may be there, from an attempt before.
   * @throws the error of `node:fs`, else also when it is there.
   */
  make(name: Uint8Array, meta: FileMeta, isResumed: boolean): TargetFolder {
    this.use((fd) => {
      const path = pathIn(fd, name);
      try {
        mkdirSync(path, UNFINISHED_MODE);
      } catch (error) {
        const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
        if (!isThere || !isResumed) throw error;
        reopenFolder(path, meta);
      }
    });
    this.expect();
    return new TargetFolder(this, name, meta, this.#idle, this.#onDone);
  }

  /** For people. */
  get path(): string {
    if (this.parent === undefined) return "";
    return `${this.parent.path}/${Buffer.from(this.name).toString("utf8")}`;
  }

  /** Runs `act` with the descriptor of this directory. */
  use<T>(act: (fd: number) => T): T {
    const fd = this.pin();
    try {
      return act(fd);
    } finally {
      this.unpin();
    }
  }

  /** The descriptor, open until {@link unpin}. */
  pin(): number {
    const { parent } = this;
    if (this.#fd === undefined) {
      if (parent === undefined) throw new RangeError("the target is closed");
      this.#fd = parent.use((fd) => openSync(pathIn(fd, this.name), FOLDER_FLAGS));
    }
    this.#pins += 1;
    this.#idle.forget(this);
    return this.#fd;
  }

  unpin(): void {
    this.#pins -= 1;
    if (this.#pins === 0) this.#idle.used(this);
  }

  /** One more thing has to be done before this directory is complete. */
  expect(): void {
    this.#pending += 1;
  }

  /** It was done. The walk itself is done when its last entry was seen. */
  settle(): void {
    this.#pending -= 1;
    if (this.#pending > 0) return;
    const problems = this.meta === undefined ? [] : this.#finish(this.meta);
    this.#idle.forget(this);
    this.closeIdle();
    this.#onDone(this, problems);
    this.parent?.settle();
  }

  closeIdle(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #finish({ owner, mode, xattrs, mtime }: FileMeta): readonly Problem[] {
    const problems: Problem[] = [];
    const { parent } = this;
    if (parent === undefined) return problems;
    this.use((fd) => {
      parent.use((parentFd) => {
        const path = pathIn(parentFd, this.name);
        if (owner !== undefined) {
          attempt(problems, "owner", () => fchownSync(fd, owner.uid, owner.gid));
        }
        setXattrs(problems, path, xattrs);
        attempt(problems, "mode", () => fchmodSync(fd, mode));
        attempt(problems, "time", () => setModified(path, mtime));
      });
    });
    return problems;
  }
}
