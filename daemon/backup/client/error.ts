import { PleachError } from "../../../protocol/error.ts";

/** What goes wrong between the files and the sealed shards. */
export class BackupError extends PleachError<
  | "E-BACKUP-PATH" // a path to back up is not there or is not absolute
  | "E-BACKUP-KEYS" // a key file is missing, malformed or open to others
  | "E-BACKUP-EPOCH" // the key of a key epoch is not on this machine
  | "E-BACKUP-EXISTS" // a data set of this name is there already
  | "E-BACKUP-UNKNOWN" // no data set has this name
  | "E-BACKUP-TIPS" // there is nothing to settle, or not yet
  | "E-BACKUP-BUSY" // another run of this data set is under way
  | "E-BACKUP-SPACE" // there is no room for the lock of a run
  | "E-BACKUP-HOOK" // the program that runs before the backup failed
  | "E-BACKUP-SOURCE" // standard input or a program gave nothing, too much, or not to its end
  | "E-BACKUP-UNSAFE" // others can change a program that a backup would run
  | "E-BACKUP-SELF" // what was just sealed does not open to the same bytes
  | "E-BACKUP-STORE" // the daemon gave bytes that are not what was asked for
  | "E-RESTORE-TARGET" // the target is not an empty directory
  | "E-RESTORE-SPACE" // there is no room for what is restored
  | "E-RESTORE-SNAPSHOT" // no such snapshot
  | "E-RESTORE-CONTENT" // the backup contradicts itself
  | "E-RESTORE-WRITE" // the file system refused
> {}
