/**
 * What goes over the control socket about decisions: statements of operators, and what they would do.
 *
 * The command judges by the statements themselves, which prove who signed them; the daemon only
 * gives and takes them. What a site wrote it alone can tell: where logs end, and what lies behind.
 */
import { z } from "zod";
import { MAX_LOG_HEADS } from "../../protocol/logs/log-head.ts";

const id = z.string().regex(/^[0-9a-f]{64}$/, "is not an identifier");
const logId = z.string().regex(/^[0-9a-f]{32}$/, "is not a log");
const base64 = z.base64();
const count = z.int().min(0);

/** `GET /v1/decisions`: all statements that this node keeps. */
export const statementSetShape = z.object({
  meshId: id.nullable(),
  siteId: id,
  statements: z.array(base64),
});

/** `POST /v1/decisions/ask`: compares with every linked member, for what they know. */
export const askedShape = z.object({
  members: z.array(z.object({ site: z.string(), answered: z.boolean() })),
});
export type AskedAnswer = z.infer<typeof askedShape>;

/** Body of `POST /v1/decisions`. */
export const addRequest = z.strictObject({ statements: z.array(base64).min(1).max(64) });
/** Statements that were known before are named nowhere. */
export const addAnswerShape = z.object({
  added: z.array(id),
  /** They build on statements that are not here. */
  waiting: z.array(id),
  refused: z.array(z.object({ id, reason: z.string() })),
});
export type AddAnswer = z.infer<typeof addAnswerShape>;

const logHead = z.strictObject({ log: logId, seq: z.int().min(1), head: id });

/** What of a site's logs lies behind given ends. */
const effect = z.object({
  /** Entries up to the ends. */
  kept: count,
  /** Entries behind them, which would count no more. */
  cut: count,
  /** When the first of those was written, by the site's own clock. */
  firstCutAtMs: z.number().nullable(),
  /** Records that would be shown otherwise: not at all, or as they were before. */
  records: z.array(
    z.object({ class: z.string(), key: z.string(), effect: z.enum(["vanishes", "returns"]) }),
  ),
});
export type CutEffect = z.infer<typeof effect>;

/** Body of `POST /v1/decisions/ends`: where the logs of a site end. */
export const endsRequest = z.strictObject({
  site: id,
  /** Only logs of these classes; null: of all. */
  classes: z.array(z.string().max(32)).max(32).nullable(),
  /** Only what the site wrote before this time, by its own clock; null: all that is here. */
  sinceMs: z.int().min(0).nullable(),
});
export type EndsRequest = z.infer<typeof endsRequest>;
export const endsShape = z.object({ logs: z.array(logHead).max(MAX_LOG_HEADS), effect });

/** Body of `POST /v1/decisions/effect`: what given ends would cut. */
export const effectRequest = z.strictObject({
  site: id,
  classes: z.array(z.string().max(32)).max(32).nullable(),
  logs: z.array(logHead).max(MAX_LOG_HEADS),
});
export type EffectRequest = z.infer<typeof effectRequest>;
export const effectShape = effect;

/** `GET /v1/decisions/leave`: what would go when this site left. */
export const leavingShape = z.object({
  site: z.string(),
  siteId: id,
  meshName: z.string(),
  /** Bytes of backups that it holds for others. */
  heldBytes: count,
  /** Data sets of others of which it holds something, by the owner's name. */
  heldFor: z.array(z.object({ owner: z.string(), sets: count })),
  /** Data sets that this site writes. */
  ownSets: count,
  /** The other members, and which are linked now and hear of it at once. */
  others: z.array(z.object({ site: z.string(), linked: z.boolean() })),
});
export type LeavingAnswer = z.infer<typeof leavingShape>;
/** Body of `POST /v1/decisions/leave`; the name is the site's own, so that no accident does it. */
export const leaveRequest = z.strictObject({ site: z.string() });
export const leftShape = z.object({ statement: id, told: z.array(z.string()) });
