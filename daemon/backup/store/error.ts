/** Refusals of the network side of backups. A peer is told the code only. */
import { PleachError } from "../../../protocol/error.ts";

export class BackupError extends PleachError<
  | "E-BACKUP-SHARD" // bytes that are not the shard they are called
  | "E-BACKUP-SPACE" // the disk, or the space that is given to others, is full
  | "E-BACKUP-RIGHT" // this site may not write the data set
  | "E-BACKUP-HEAD" // the head does not follow the one that is there
  | "E-BACKUP-MISSING" // a commit names shards that are not in the local store
  | "E-BACKUP-MESH" // the site is in no mesh yet
  | "E-BACKUP-PEER" // a peer broke the protocol or fell silent
  | "E-BACKUP-INPUT" // a request that cannot be meant
  | "E-BACKUP-DISK" // the store's files cannot be read or written
  | "E-NOT-FOUND" // no such data set, shard or session
> {}
