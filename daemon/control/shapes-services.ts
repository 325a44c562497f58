/** What the routes of marks, policies and reports of services take and give. */
import { z } from "zod";
import { textField } from "../../protocol/encoding/wire-field.ts";

const state = z.enum(["up", "down"]);
const reason = textField(200, 1).optional();

/** Body of `PUT /v1/services/NAME/mark`. */
export const markRequest = z.strictObject({
  /** Name or identifier. */
  site: z.string().min(1).max(64),
  state: z.enum(["up", "down", "auto"]),
  text: reason,
});
export type MarkRequest = z.infer<typeof markRequest>;
export const markAnswer = z.object({
  service: z.string(),
  site: z.string(),
  /** What counts now. */
  state,
  changed: z.boolean(),
});

/** Body of `PUT /v1/services/NAME/policy`. */
export const policyRequest = z.discriminatedUnion("whenDown", [
  z.strictObject({ whenDown: z.literal("all") }),
  z.strictObject({ whenDown: z.literal("none") }),
  z.strictObject({ whenDown: z.literal("fallback"), name: z.string().max(254) }),
]);
export type PolicyRequest = z.infer<typeof policyRequest>;
export const policyAnswer = z.object({
  service: z.string(),
  changed: z.boolean(),
  note: z.string().nullable(),
});

/** Body of `POST /v1/services/NAME/reports`. */
export const reportRequest = z.strictObject({ state, text: reason });
export type ReportRequest = z.infer<typeof reportRequest>;
export const reportAnswer = z.object({
  service: z.string(),
  state,
  changed: z.boolean(),
  against: z.number(),
  needed: z.number(),
  damped: z.boolean(),
});

/** What was said of a service at one site. */
export const serviceWordsShape = z.object({
  /** What answers go by. */
  state,
  mark: z.object({ state, text: z.string().nullable(), by: z.string().nullable() }).nullable(),
  /** Of its own site; null before the first one. */
  verdict: z.object({ state, sinceMs: z.number(), text: z.string().nullable() }).nullable(),
  whenDown: z.enum(["all", "none", "fallback"]),
  fallback: z.string().nullable(),
});
export type ServiceWordsInfo = z.infer<typeof serviceWordsShape>;
