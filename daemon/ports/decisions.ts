/** Connects decisions with the statements and logs of this node and with its links. */
import type { SiteId } from "../../protocol/ids.ts";
import { parsePlaceKey } from "../../protocol/logs/record-pages.ts";
import { offerRecord, parseHoldKey } from "../../protocol/logs/record.ts";
import type { SigningKey } from "../../protocol/keys/signature.ts";
import {
  decodeStatement,
  encodeStatement,
  signStatement,
  StatementError,
  type SignedStatement,
} from "../../protocol/statements/statement.ts";
import { RequestError } from "../control/body.ts";
import type { DecisionPort } from "../control/decision-routes.ts";
import type { LeavingAnswer } from "../control/shapes-decisions.ts";
import { MembershipError } from "../membership/error.ts";
import type { State } from "../state/state.ts";
import type { AskedMembers } from "../state/sync/sync.ts";
import { cutEffect, logEnds } from "./log-ends.ts";

/** Members on slow lines answer within it; a person waits no longer gladly. */
const ASK_TIMEOUT_MS = 5000;

export interface DecisionSources {
  readonly state: State;
  readonly siteKey: SigningKey;
  readonly askAll: (timeoutMs: number) => Promise<AskedMembers>;
  readonly linked: () => readonly SiteId[];
}

export function decisionPort(sources: DecisionSources): DecisionPort {
  const { state, askAll } = sources;
  return {
    statements: () => ({
      meshId: state.meshId ?? null,
      siteId: state.siteId,
      statements: state.statements().map((each) => toBase64(encodeStatement(each))),
    }),
    ask: async () => {
      const { asked, answered } = await askAll(ASK_TIMEOUT_MS);
      const members = asked.map((site) => ({
        site: nameOf(state, site),
        answered: answered.includes(site),
      }));
      return { members };
    },
    add: async (encoded) => {
      const { added, waiting, refused } = await state.addStatements(encoded.map(readStatement));
      return { added: [...added], waiting: [...waiting], refused: [...refused] };
    },
    ends: async (request) => {
      const logs = logEnds(state, request);
      return { logs, effect: await cutEffect(state, { ...request, logs }) };
    },
    effect: (request) => cutEffect(state, request),
    leaving: () => leaving(sources),
    leave: (site) => leave(sources, site),
  };
}

function leaving({ state, linked }: DecisionSources): LeavingAnswer {
  const authority = state.authority();
  const own = authority.sites.get(state.siteId);
  if (own === undefined) throw leaveError("This site is no member of a mesh.");
  const view = state.view();
  const held = view
    .entries("hold")
    .filter(({ author }) => author === state.siteId)
    .flatMap(({ key }) => parseHoldKey(key) ?? []);
  const perOwner = Map.groupBy(held, ({ owner }) => owner);
  const offer = offerRecord.safeParse(view.get("offer", "offer", state.siteId)?.value).data;
  const up = new Set(linked());
  return {
    site: own.name,
    siteId: state.siteId,
    meshName: authority.meshName,
    heldBytes: offer?.usedBytes ?? 0,
    heldFor: [...perOwner].map(([owner, sets]) => ({
      owner: authority.owners.get(owner)?.name ?? owner.slice(0, 8),
      sets: sets.length,
    })),
    ownSets: view
      .entries("place")
      .filter(({ key, author }) => author === state.siteId && parsePlaceKey(key) !== undefined)
      .length,
    others: [...authority.sites.values()]
      .filter(({ siteId }) => siteId !== state.siteId)
      .map(({ siteId, name }) => ({ site: name, linked: up.has(siteId) })),
  };
}

async function leave(sources: DecisionSources, site: string) {
  const { state, siteKey, linked } = sources;
  const { meshId } = state;
  const { site: name } = leaving(sources);
  if (meshId === undefined || name !== site) {
    throw leaveError(`This site is ${name}, not ${site}.`);
  }
  const request = { site: state.siteId, classes: null, sinceMs: null };
  const heads = logEnds(state, request);
  const told = linked().map((each) => nameOf(state, each));
  const statement = signStatement(
    {
      v: 1,
      kind: "LEAVE",
      mesh: meshId,
      by: state.siteId,
      heads: [...heads],
    },
    [siteKey],
  );
  const { refused } = await state.addStatements([statement]);
  if (refused.length > 0) throw leaveError(`It was refused: ${refused[0]?.reason ?? ""}.`);
  return { statement: statement.id, told };
}

function leaveError(message: string): MembershipError {
  return new MembershipError("E-LEAVE", message, { hint: "Look:  pleach peers" });
}

function nameOf(state: State, site: SiteId): string {
  return state.authority().sites.get(site)?.name ?? site.slice(0, 8);
}

function readStatement(bytes: Uint8Array): SignedStatement {
  try {
    return decodeStatement(bytes);
  } catch (cause) {
    if (!(cause instanceof StatementError)) throw cause;
    throw new RequestError("E-REQUEST", `A statement is not sound: ${cause.message}`, {
      exit: 2,
      cause,
    });
  }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
