/** Routes of membership: founding, inviting, joining, approving. */
import { Hono } from "hono";
import type { z } from "zod";
import { parseId, type OperatorId, type OwnerId } from "../../protocol/ids.ts";
import { readJson, RequestError } from "./body.ts";
import {
  applyShape,
  byWordsShape,
  inviteShape,
  joinShape,
  siteRequestShape,
  statementsShape,
  type applicationShape,
  type applicationsShape,
  type chainShape,
  type invitationShape,
  type invitationsShape,
  type JoinOfferAnswer,
  type MembershipAnswer,
  type SiteRequestBody,
  type withdrawnShape,
} from "./shapes-membership.ts";

/** Filled in `main.ts`. Each throws a `PleachError` to refuse. */
export interface MembershipPort {
  membership(): MembershipAnswer;
  chain(signer: OperatorId | OwnerId): z.infer<typeof chainShape>;
  /** Signs a request with the site key; only while this node is in no mesh. */
  signRequest(body: SiteRequestBody): {
    readonly request: Uint8Array;
    readonly requestSignature: Uint8Array;
  };
  /** Durable when it resolves. @returns the mesh id. */
  found(statements: readonly Uint8Array[]): Promise<string>;
  /** Durable when it resolves; refuses all of them when one would have no effect. */
  addStatements(statements: readonly Uint8Array[]): Promise<number>;
  invite(ttlMs: number): Promise<z.infer<typeof invitationShape>>;
  invitations(): z.infer<typeof invitationsShape>["invitations"];
  /** @returns What became of it before. */
  withdrawInvitation(id: string): Promise<z.infer<typeof withdrawnShape>["was"]>;
  applications(): z.infer<typeof applicationsShape>["applications"];
  /** The one application that has these words. */
  findApplication(words: string): z.infer<typeof applicationShape>;
  decline(words: string): Promise<void>;
  beginJoin(code: string, owner: OwnerId | null, replaces: string | null): Promise<JoinOfferAnswer>;
  /** @returns the six words. */
  applyToJoin(code: string, application: Uint8Array): Promise<string>;
}

export function membershipRoutes(port: MembershipPort): Hono {
  const app = new Hono();
  app.get("/membership", (context) => context.json(port.membership()));
  app.get("/membership/chains/:key", (context) => {
    const key = parseId<OperatorId>(context.req.param("key"));
    if (key === undefined) throw new RequestError("E-REQUEST", "That is no key.", { exit: 2 });
    return context.json(port.chain(key));
  });
  app.post("/membership/requests", async (context) => {
    const signed = port.signRequest(await readJson(context, siteRequestShape));
    return context.json({
      request: toBase64(signed.request),
      requestSignature: toBase64(signed.requestSignature),
    });
  });
  app.post("/membership/found", async (context) => {
    const { statements } = await readJson(context, statementsShape);
    return context.json({ meshId: await port.found(statements.map(fromBase64)) }, 201);
  });
  app.post("/membership/statements", async (context) => {
    const { statements } = await readJson(context, statementsShape);
    return context.json({ added: await port.addStatements(statements.map(fromBase64)) });
  });
  app.post("/membership/invitations", async (context) => {
    const { ttlMs } = await readJson(context, inviteShape);
    return context.json(await port.invite(ttlMs), 201);
  });
  app.get("/membership/invitations", (context) =>
    context.json({ invitations: port.invitations() }),
  );
  app.delete("/membership/invitations/:id", async (context) =>
    context.json({ was: await port.withdrawInvitation(context.req.param("id")) }),
  );
  app.get("/membership/applications", (context) =>
    context.json({ applications: port.applications() }),
  );
  app.post("/membership/applications/find", async (context) => {
    const { words } = await readJson(context, byWordsShape);
    return context.json(port.findApplication(words));
  });
  app.post("/membership/applications/decline", async (context) => {
    await port.decline((await readJson(context, byWordsShape)).words);
    return context.json({ declined: true });
  });
  app.post("/membership/joining", async (context) => {
    const { code, owner, replaces } = await readJson(context, joinShape);
    const ownerId = owner === null ? null : (parseId<OwnerId>(owner) ?? null);
    return context.json(await port.beginJoin(code, ownerId, replaces));
  });
  app.post("/membership/joining/apply", async (context) => {
    const { code, application } = await readJson(context, applyShape);
    return context.json({ words: await port.applyToJoin(code, fromBase64(application)) });
  });
  return app;
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "base64"));
}
