/** What an applicant takes from an issuer that lies. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeChannel } from "../../test-mesh/fakes/channel.ts";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import { JoinParty } from "../../test-mesh/join-party.ts";
import { PleachError } from "../../protocol/error.ts";
import { idOf, sha256, type PeerKey, type SiteId } from "../../protocol/ids.ts";
import { parseInvitation } from "../../protocol/messages/invitation.ts";
import { encodeJoinReply, type JoinReply } from "../../protocol/messages/join-message.ts";
import { signingKey } from "../../protocol/keys/signature.ts";
import { encodeStatement } from "../../protocol/statements/statement.ts";
import { JoinSession } from "./join-session.ts";

const APPLICANT = idOf<SiteId>(signingKey(sha256("applicant")).publicKey);
const CHALLENGE: JoinReply = { v: 1, t: "challenge", nonce: new Uint8Array(32) };

/** Two meshes of one: the code is of the first, the statements of either are at hand. */
async function meshes() {
  const time = new FakeTime();
  const right = await new JoinParty(time).node("quimper");
  await right.found();
  const { code } = await right.membership.invite(3_600_000);
  const wrong = await new JoinParty(time).node("elsewhere");
  await wrong.found();
  return {
    time,
    invitation: parseInvitation(code),
    genesis: right.state.statements().map(encodeStatement)[0] ?? new Uint8Array(0),
    foreign: wrong.state.statements().map(encodeStatement)[0] ?? new Uint8Array(0),
  };
}

/** Opens a session with an issuer that answers each frame with the next of these. */
async function openWith(
  { time, invitation }: Awaited<ReturnType<typeof meshes>>,
  replies: readonly (JoinReply | Uint8Array)[],
): Promise<JoinSession> {
  const wire = {
    clock: time.clock(),
    delayMs: () => 1,
    frozen: () => false,
    onThaw: () => {},
    forget: () => {},
  };
  const [near, far] = FakeChannel.pair(APPLICANT, invitation.issuer, wire);
  const answer = async (): Promise<void> => {
    for (const reply of replies) {
      if ((await far.receive(60_000)) === undefined) return;
      await far.send(reply instanceof Uint8Array ? reply : encodeJoinReply(reply));
    }
  };
  answer().catch(() => {});
  const net = { open: async () => near };
  return time.resolve(JoinSession.open(net, invitation, APPLICANT as PeerKey));
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof PleachError) return error.code;
    throw error;
  }
  return "none";
}

test("takes the mesh of the code, and no other", async () => {
  const all = await meshes();
  const session = await openWith(all, [CHALLENGE, { v: 1, t: "accepted", genesis: all.genesis }]);
  assert.equal(session.meshName, "test");
  const other: JoinReply = { v: 1, t: "accepted", genesis: all.foreign };
  assert.equal(await refusal(openWith(all, [CHALLENGE, other])), "E-JOIN-PEER");
});

test("ends on noise, on the wrong message and on silence", async () => {
  const all = await meshes();
  assert.equal(await refusal(openWith(all, [Uint8Array.of(1, 2, 3)])), "E-JOIN-PEER");
  assert.equal(await refusal(openWith(all, [{ v: 1, t: "pending" }])), "E-JOIN-PEER");
  assert.equal(await refusal(openWith(all, [])), "E-FAKE-TIMEOUT");
});

test("ends when an issuer sends on and on without a statement", async () => {
  const all = await meshes();
  const nothing: JoinReply = { v: 1, t: "statements", list: [], last: false };
  const accepted: JoinReply = { v: 1, t: "accepted", genesis: all.genesis };
  const session = await openWith(all, [CHALLENGE, accepted, nothing]);
  assert.equal(await refusal(all.time.resolve(session.ask())), "E-JOIN-PEER");
});
