/**
 * Named ends of logs: the last entry of each that a decision lets count.
 */
import { z } from "zod";
import { MAX_SEQ } from "./envelope.ts";
import type { EnvelopeId, LogId } from "../ids.ts";
import { countField, idField } from "../encoding/wire-field.ts";

export interface LogHead {
  readonly log: LogId;
  readonly seq: number;
  readonly head: EnvelopeId;
}

/** Named in one statement for one site: all that a site of many parts has at one time. */
export const MAX_LOG_HEADS = 512;

const logHead = z.object({
  log: idField<LogId>(16),
  seq: countField(1, MAX_SEQ),
  head: idField<EnvelopeId>(),
});

/** Ends of logs, each log at most once. */
export function logHeadsField(most: number = MAX_LOG_HEADS) {
  return z
    .array(logHead)
    .max(most)
    .refine((heads) => new Set(heads.map(({ log }) => log)).size === heads.length, {
      error: "a log stands twice",
    });
}
