/** Calls about membership that several commands make. */
import type { ApplicationParts } from "../../../protocol/messages/application.ts";
import { encodeStatement, type SignedStatement } from "../../../protocol/statements/statement.ts";
import { signedRequestShape } from "../../control/shapes-membership.ts";
import type { CliContext } from "../shell/context.ts";
import type { SiteWords } from "./site-options.ts";

/** The request of this site, signed by its key, which only the daemon has. */
export async function requestSite(
  context: CliContext,
  mesh: string,
  words: SiteWords,
): Promise<ApplicationParts["site"]> {
  const body = { mesh, ...words };
  const signed = await context.client.post("/v1/membership/requests", body, signedRequestShape);
  return {
    request: fromBase64(signed.request),
    requestSignature: fromBase64(signed.requestSignature),
  };
}

/** A statement as it goes over the control socket. */
export function toBase64(statement: SignedStatement): string {
  return Buffer.from(encodeStatement(statement)).toString("base64");
}

export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "base64"));
}
