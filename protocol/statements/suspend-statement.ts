/**
 * SUSPEND and UNSUSPEND: one operator holds up what a key makes from now on, until people have
 * looked. Nothing that was accepted changes by it.
 */
import { z } from "zod";
import type { OperatorId, SiteId, StatementId } from "../ids.ts";
import { logHeadsField } from "../logs/log-head.ts";
import { statementHeadFields } from "./statement-head.ts";
import { countField, idField } from "../encoding/wire-field.ts";

/** So that a SUSPEND fits 4 KiB. */
export const MAX_SUSPENDED_LOGS = 24;

/** In one UNSUSPEND. */
export const MAX_ENDED_SUSPENSIONS = 64;

export const suspendBody = z.object({
  ...statementHeadFields,
  kind: z.literal("SUSPEND"),
  /** A site or an operator. */
  key: idField<SiteId | OperatorId>(),
  /** A site: the ends of its logs as whoever suspends knows them. */
  logs: logHeadsField(MAX_SUSPENDED_LOGS),
  /** An operator: the end of its chain as whoever suspends knows it; null before its first. */
  chain: z.object({ seq: countField(1, 1_000_000), head: idField<StatementId>() }).nullable(),
});
export type SuspendBody = z.output<typeof suspendBody>;

export const unsuspendBody = z.object({
  ...statementHeadFields,
  kind: z.literal("UNSUSPEND"),
  /** The SUSPENDs that end. */
  ends: z.array(idField<StatementId>()).min(1).max(MAX_ENDED_SUSPENSIONS),
});
export type UnsuspendBody = z.output<typeof unsuspendBody>;
