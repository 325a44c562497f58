/**
 * How the runs of data sets ended, told by the backup client, so that `status` can warn.
 *
 * The daemon knows the names of sets from its configuration; which sealed set belongs to a name it
 * learns here.
 */
import { z } from "zod";

/** Body of `PUT /v1/backup/runs/:name`. */
export const runShape = z.strictObject({
  /** Null when the run failed before there was a set. */
  setId: z
    .string()
    .regex(/^[0-9a-f]{32}$/, "is not a data set identifier")
    .nullable(),
  result: z.enum(["done", "partly", "failed"]),
  startedAtMs: z.int().min(0),
  endedAtMs: z.int().min(0),
  /** Files that could not be read. */
  unreadable: z.int().min(0),
  /** Code of the error that ended it. */
  error: z.string().max(64).nullable(),
});
export type RunReport = z.infer<typeof runShape>;

export const runsShape = z.object({ runs: z.record(z.string(), runShape) });
