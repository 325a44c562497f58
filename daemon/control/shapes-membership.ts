/**
 * What goes over the control socket about founding, inviting, joining and approving.
 *
 * The daemon holds the site key and nothing else that signs: statements, claims and releases come
 * here signed, as base64 of the bytes that travel. Identifiers are hexadecimal text.
 */
import { z } from "zod";

const id = z.string().regex(/^[0-9a-f]{64}$/, "is not an identifier");
const base64 = z.base64();
const count = z.int().min(0);
const text = z.string();
const domains = { building: text, power: text, uplink: text, country: text };

/** `GET /v1/membership`: who is who, as this node sees it. */
export const membershipShape = z.object({
  siteId: id,
  /** Multiaddrs without `/p2p/…`, at which others may reach this node. */
  addresses: z.array(text),
  /** The same with `/p2p/…`. */
  ownNamed: z.array(text),
  meshId: id.nullable(),
  meshName: text.nullable(),
  operators: z.array(z.object({ key: id, name: text })),
  sites: z.array(
    z.object({
      siteId: id,
      name: text,
      org: text,
      place: text,
      /** Multiaddrs with `/p2p/…`. Empty: not known here. */
      addresses: z.array(text),
      /** Owners whose data sets it may start. */
      owners: z.array(id),
      replaces: id.nullable(),
    }),
  ),
  owners: z.array(
    z.object({ ownerId: id, name: text, org: text, country: text, sign: id, box: id }),
  ),
  /** How far a `join` of this node is. */
  joining: z.object({
    state: z.enum(["idle", "pending", "declined", "failed", "joined"]),
    words: text.nullable(),
    problem: z.object({ code: text, message: text, hint: text.nullable() }).nullable(),
  }),
});
export type MembershipAnswer = z.infer<typeof membershipShape>;

/** `GET /v1/membership/chains/:key`: what the next statement of a signer carries. */
export const chainShape = z.object({ seq: z.int().min(1), prev: id, lamport: z.int().min(1) });

/** Body of `POST /v1/membership/requests`: what the site key is to sign. */
export const siteRequestShape = z.strictObject({
  mesh: id,
  name: text,
  org: text,
  place: text,
  domains: z.strictObject(domains),
});
export type SiteRequestBody = z.infer<typeof siteRequestShape>;
export const signedRequestShape = z.object({ request: base64, requestSignature: base64 });

/** Body of `POST /v1/membership/found` and of `POST /v1/membership/statements`. */
export const statementsShape = z.strictObject({ statements: z.array(base64).min(1).max(64) });
export const foundAnswerShape = z.object({ meshId: id });
export const addedShape = z.object({ added: count });

/** Body of `POST /v1/membership/invitations`. */
export const inviteShape = z.strictObject({ ttlMs: count });
export const invitationShape = z.object({
  code: text,
  expiresAtMs: count,
  addresses: z.array(text),
});

const invitationState = z.enum(["open", "proved", "applied", "declined", "joined"]);
export type InvitationState = z.infer<typeof invitationState>;

/** `GET /v1/membership/invitations`: those of this node that hold a place. */
export const invitationsShape = z.object({
  invitations: z.array(
    z.object({
      id: text,
      state: invitationState,
      endsAtMs: count,
      /** The name that the applicant asks for. */
      site: text.nullable(),
    }),
  ),
});
/** `DELETE /v1/membership/invitations/:id`. */
export const withdrawnShape = z.object({ was: invitationState });

/**
 * `GET /v1/membership/applications`: what waits for an operator on this node. Never the words:
 * they are to be heard from the applicant.
 */
export const applicationsShape = z.object({
  applications: z.array(z.object({ site: text, applicant: id, answeredAtMs: count })),
});
/** Body of `POST /v1/membership/applications/find` and `…/decline`. */
export const byWordsShape = z.strictObject({ words: text });
/** All that the six words stand for, so that the command can see that they are these. */
export const applicationShape = z.object({
  application: base64,
  applicant: id,
  issuer: id,
  proofKey: base64,
});

/** Body of `POST /v1/membership/joining`. */
export const joinShape = z.strictObject({
  code: text,
  owner: id.nullable(),
  replaces: text.nullable(),
});
export const joinOfferShape = z.object({
  meshId: id,
  meshName: text,
  /** Members that are known before joining, with `/p2p/…`: for the recovery sheet. */
  members: z.array(z.object({ site: text, address: text })),
  lamport: z.int().min(1),
  owner: z.object({ name: text, seq: z.int().min(1), prev: id }).nullable(),
  old: z
    .object({
      site: id,
      heads: z.array(z.object({ log: text, seq: z.int().min(1), head: id })),
    })
    .nullable(),
});
export type JoinOfferAnswer = z.infer<typeof joinOfferShape>;

/** Body of `POST /v1/membership/joining/apply`. */
export const applyShape = z.strictObject({ code: text, application: base64 });
export const wordsShape = z.object({ words: text });
