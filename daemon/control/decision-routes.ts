/** Decisions of operators, and leaving, on the control socket. */
import { Hono } from "hono";
import type { z } from "zod";
import { readJson } from "./body.ts";
import {
  addRequest,
  effectRequest,
  endsRequest,
  leaveRequest,
  type AddAnswer,
  type AskedAnswer,
  type CutEffect,
  type EffectRequest,
  type EndsRequest,
  type endsShape,
  type LeavingAnswer,
  type leftShape,
  type statementSetShape,
} from "./shapes-decisions.ts";

/** Filled in `compose/`. Each throws a `PleachError` to refuse. */
export interface DecisionPort {
  statements(): z.infer<typeof statementSetShape>;
  /** Compares with every linked member, within seconds. */
  ask(): Promise<AskedAnswer>;
  /** Durable when it resolves. */
  add(statements: readonly Uint8Array[]): Promise<AddAnswer>;
  ends(request: EndsRequest): Promise<z.infer<typeof endsShape>>;
  effect(request: EffectRequest): Promise<CutEffect>;
  leaving(): LeavingAnswer;
  /** Signs with the site key that this site is no member any more; nothing undoes it. */
  leave(site: string): Promise<z.infer<typeof leftShape>>;
}

/** Statements of up to 64 KiB each, as base64. */
const MAX_ADD_BYTES = 8 * 1024 * 1024;

export function decisionRoutes(port: DecisionPort): Hono {
  return new Hono()
    .get("/decisions", (context) => context.json(port.statements()))
    .post("/decisions/ask", async (context) => context.json(await port.ask()))
    .post("/decisions", async (context) => {
      const { statements } = await readJson(context, addRequest, MAX_ADD_BYTES);
      const bytes = statements.map((text) => Uint8Array.from(Buffer.from(text, "base64")));
      return context.json(await port.add(bytes));
    })
    .post("/decisions/ends", async (context) =>
      context.json(await port.ends(await readJson(context, endsRequest))),
    )
    .post("/decisions/effect", async (context) =>
      context.json(await port.effect(await readJson(context, effectRequest))),
    )
    .get("/decisions/leave", (context) => context.json(port.leaving()))
    .post("/decisions/leave", async (context) =>
      context.json(await port.leave((await readJson(context, leaveRequest)).site)),
    );
}
