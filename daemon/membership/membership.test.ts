import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeTime } from "../../test-mesh/fakes/clock.ts";
import { JoinParty, ownerOf, type PartyNode } from "../../test-mesh/join-party.ts";
import { PleachError } from "../../protocol/error.ts";
import { sha256 } from "../../protocol/ids.ts";
import { parseInvitation, printInvitation } from "../../protocol/messages/invitation.ts";
import { encodeStatement, signStatement } from "../../protocol/statements/statement.ts";
import { MAX_INVITATIONS } from "./invitations.ts";
import { signingKey } from "../../protocol/keys/signature.ts";

const HOUR_MS = 3_600_000;

interface Scene {
  readonly time: FakeTime;
  readonly party: JoinParty;
  readonly quimper: PartyNode;
  readonly brest: PartyNode;
  readonly code: string;
}

async function scene(): Promise<Scene> {
  const time = new FakeTime();
  const party = new JoinParty(time);
  const quimper = await party.node("quimper");
  await quimper.found();
  const brest = await party.node("brest");
  const { code } = await quimper.membership.invite(HOUR_MS);
  return { time, party, quimper, brest, code };
}

async function refusal(time: FakeTime, promise: Promise<unknown>): Promise<string> {
  try {
    await time.resolve(promise);
  } catch (error) {
    if (error instanceof PleachError) return error.code;
    throw error;
  }
  return "none";
}

test("a site joins with an owner of its own once its words are approved", async () => {
  const { time, quimper, brest, code } = await scene();
  const words = await time.resolve(brest.apply(code, { owner: ownerOf("brest") }));
  assert.equal(brest.membership.membership().joining.words, words);
  await time.advance(HOUR_MS);
  assert.equal(brest.isMember, false, "the code alone admits nobody");
  await quimper.approve(words);
  await time.until(() => brest.isMember, 10_000);
  const owner = brest.state.authority().owners.get(ownerOf("brest").ownerId);
  assert.equal(owner?.name, "brest");
  assert.equal(brest.state.statements().length, quimper.state.statements().length);
  assert.deepEqual(brest.membership.firstMember()?.siteId, quimper.state.siteId);
  assert.equal(quimper.membership.joinOpen(), false, "the door is closed again");
});

test("a second site joins an owner that is there", async () => {
  const { time, quimper, brest, code } = await scene();
  const owner = ownerOf("quimper");
  const words = await time.resolve(brest.apply(code, { owner, knownOwner: true }));
  await quimper.approve(words);
  await time.until(() => brest.isMember, 10_000);
  const sites = brest.state
    .authority()
    .delegations.filter((each) => each.owner === owner.ownerId)
    .map(({ site }) => site);
  assert.deepEqual(new Set(sites), new Set([quimper.state.siteId, brest.state.siteId]));
});

test("used, expired and guessed codes get one and the same refusal", async () => {
  const { time, party, quimper, brest, code } = await scene();
  await time.resolve(brest.apply(code));
  const thief = await party.node("thief");
  const { code: late } = await quimper.membership.invite(HOUR_MS);
  const { code: open } = await quimper.membership.invite(24 * HOUR_MS);
  await time.advance(HOUR_MS);
  const guess = { ...parseInvitation(open), secret: new Uint8Array(16) };
  const messages = new Set<string>();
  for (const bad of [code, late, printInvitation(guess)]) {
    try {
      await time.resolve(thief.apply(bad));
      assert.fail("the code was taken");
    } catch (error) {
      assert.ok(error instanceof PleachError, String(error));
      assert.equal(error.code, "E-JOIN-CODE");
      messages.add(error.message);
    }
  }
  assert.equal(messages.size, 1);
  assert.equal(quimper.membership.applications().length, 1);
});

test("one code and two machines at once: one gets in", async () => {
  const { time, party, brest, code } = await scene();
  const thief = await party.node("thief");
  const outcomes = await time.resolve(Promise.allSettled([brest.apply(code), thief.apply(code)]));
  assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
});

test("after ten wrong codes within a minute nobody is heard, and then again", async () => {
  const { time, party, brest, code } = await scene();
  const thief = await party.node("thief");
  const wrong = printInvitation({ ...parseInvitation(code), secret: new Uint8Array(16) });
  for (let i = 0; i < 10; i++) {
    assert.equal(await refusal(time, thief.apply(wrong)), "E-JOIN-CODE");
  }
  assert.equal(await refusal(time, thief.apply(wrong)), "E-JOIN-BUSY");
  assert.equal(await refusal(time, brest.apply(code)), "E-JOIN-BUSY");
  await time.advance(60_000);
  assert.equal(await refusal(time, brest.apply(code)), "none");
});

test("a code that was proved stays used after a power cut at the issuer", async () => {
  const { time, party, quimper, brest, code } = await scene();
  await time.resolve(brest.membership.beginJoin(code, null, null));
  quimper.disk.cutPower();
  const again = await party.node("quimper", quimper.disk);
  const thief = await party.node("thief");
  assert.equal(await refusal(time, thief.apply(code)), "E-JOIN-CODE");
  const words = await time.resolve(brest.apply(code));
  await again.approve(words);
  await time.until(() => brest.isMember, 10_000);
});

test("an applicant goes on after a power cut, and after the issuer was away", async () => {
  const { time, party, quimper, brest, code } = await scene();
  const words = await time.resolve(brest.apply(code));
  brest.membership.stop();
  brest.disk.cutPower();
  party.cut = quimper.address;
  const again = await party.node("brest", brest.disk);
  again.membership.start();
  await time.advance(90_000);
  assert.equal(again.membership.membership().joining.problem?.code, "E-JOIN-UNREACHABLE");
  await quimper.approve(words);
  party.cut = undefined;
  await time.until(() => again.isMember, 60_000);
});

test("a declined applicant hears of it", async () => {
  const { time, quimper, brest, code } = await scene();
  const words = await time.resolve(brest.apply(code));
  await quimper.membership.decline(words);
  await time.until(() => brest.membership.membership().joining.state === "declined", 10_000);
  assert.equal(quimper.membership.applications().length, 0);
});

test("a name that is taken is refused, and the code stays good for another", async () => {
  const { time, quimper, brest, code } = await scene();
  assert.equal(await refusal(time, brest.apply(code, { name: "quimper" })), "E-JOIN-REFUSED");
  assert.equal(quimper.membership.applications().length, 0);
  assert.equal(brest.membership.membership().joining.state, "idle");
  const words = await time.resolve(brest.apply(code, { name: "brest" }));
  await quimper.approve(words);
  await time.until(() => brest.isMember, 10_000);
});

test("a new box takes the place of a lost site with the phrase of its owner", async () => {
  const { time, party, quimper, brest, code } = await scene();
  const owner = ownerOf("brest");
  await quimper.approve(await time.resolve(brest.apply(code, { owner })));
  await time.until(() => brest.isMember, 10_000);
  const box = await party.node("newbox");
  const { code: second } = await quimper.membership.invite(HOUR_MS);
  const plan = { name: "brest", owner, knownOwner: true, replaces: "brest" };
  await quimper.approve(await time.resolve(box.apply(second, plan)));
  await time.until(() => box.isMember, 10_000);
  const authority = quimper.state.authority();
  assert.equal(authority.isMember(brest.state.siteId), false);
  assert.equal(authority.siteNamed("brest")?.siteId, box.state.siteId);
  assert.equal(authority.sites.get(box.state.siteId)?.replaces, brest.state.siteId);
});

test("the phrase of another owner replaces nothing", async () => {
  const { time, party, quimper, brest, code } = await scene();
  await quimper.approve(await time.resolve(brest.apply(code, { owner: ownerOf("brest") })));
  const box = await party.node("newbox");
  const { code: second } = await quimper.membership.invite(HOUR_MS);
  const plan = {
    name: "brest",
    owner: ownerOf("quimper"),
    knownOwner: true,
    replaces: "brest",
  };
  assert.equal(await refusal(time, box.apply(second, plan)), "E-JOIN-REFUSED");
});

test("statements by a key that is no operator's are refused whole", async () => {
  const { time, quimper, brest, code } = await scene();
  const words = await time.resolve(brest.apply(code));
  const before = quimper.state.statements().length;
  const stranger = signingKey(new Uint8Array(32).fill(9));
  assert.equal(await refusal(time, quimper.approve(words, stranger)), "E-MESH-STATEMENT");
  assert.equal(quimper.state.statements().length, before);
});

test("a member neither founds nor joins again", async () => {
  const { time, quimper, code } = await scene();
  assert.equal(await refusal(time, quimper.found()), "E-MESH-MEMBER");
  assert.equal(await refusal(time, quimper.apply(code)), "E-MESH-MEMBER");
});

test("what was approved or declined takes no room among open invitations", async () => {
  const { time, party, quimper } = await scene();
  for (let count = 0; count < MAX_INVITATIONS; count++) {
    const node = await party.node(`site${count}`);
    const { code } = await quimper.membership.invite(HOUR_MS);
    const words = await time.resolve(node.apply(code));
    if (count % 2 === 0) await quimper.approve(words);
    else await quimper.membership.decline(words);
  }
  for (let open = 1; open < MAX_INVITATIONS; open++) await quimper.membership.invite(HOUR_MS);
  assert.equal(await refusal(time, quimper.membership.invite(HOUR_MS)), "E-INVITE-MANY");
});

test("a code that was proved and not used to apply is over when its time is", async () => {
  const { time, party, quimper, brest, code } = await scene();
  await time.resolve(brest.membership.beginJoin(code, null, null));
  assert.equal(quimper.membership.invitations()[0]?.state, "proved");
  await time.advance(HOUR_MS);
  assert.equal(quimper.membership.joinOpen(), false);
  assert.deepEqual(quimper.membership.invitations(), []);
  const { code: next } = await quimper.membership.invite(HOUR_MS);
  assert.equal(await refusal(time, brest.apply(code)), "E-JOIN-CODE");
  const lorient = await party.node("lorient");
  await time.resolve(lorient.apply(next));
  await time.advance(HOUR_MS);
  assert.equal(quimper.membership.applications().length, 1, "who applied has its week");
});

test("the application of a site that has left does not wait again, nor open the door", async () => {
  const { time, quimper, brest, code } = await scene();
  await quimper.approve(await time.resolve(brest.apply(code)));
  await time.until(() => brest.isMember, 10_000);
  const { meshId: mesh } = quimper.state;
  assert.ok(mesh !== undefined);
  const key = signingKey(sha256("site", "brest"));
  const left = signStatement({ v: 1, kind: "LEAVE", mesh, by: brest.state.siteId, heads: [] }, [
    key,
  ]);
  await quimper.state.addStatements([left]);
  assert.equal(quimper.state.authority().isMember(brest.state.siteId), false);
  assert.deepEqual(quimper.membership.applications(), []);
  assert.equal(quimper.membership.joinOpen(), false);
});

test("an invitation is listed and withdrawn, also while an application waits", async () => {
  const { time, quimper, brest, code } = await scene();
  await time.resolve(brest.apply(code));
  const [waiting] = quimper.membership.invitations();
  assert.deepEqual([waiting?.state, waiting?.site], ["applied", "brest"]);
  assert.equal(await quimper.membership.withdrawInvitation(waiting?.id ?? ""), "applied");
  assert.equal(quimper.membership.joinOpen(), false);
  await time.until(() => brest.membership.membership().joining.state !== "pending", HOUR_MS);
  const again = quimper.membership.withdrawInvitation(waiting?.id ?? "");
  assert.equal(await refusal(time, again), "E-INVITE-UNKNOWN");
});

test("a declined applicant that asks on does not keep the door open", async () => {
  const { time, quimper, brest, code } = await scene();
  await quimper.membership.decline(await time.resolve(brest.apply(code)));
  for (let day = 0; day < 8; day++) {
    await time.advance(24 * HOUR_MS);
    if (quimper.membership.joinOpen()) await time.resolve(brest.apply(code));
  }
  assert.equal(quimper.membership.joinOpen(), false);
});

test("an issuer that keeps a statement back makes nobody begin half a mesh", async () => {
  const { time, quimper, brest, code } = await scene();
  const words = await time.resolve(brest.apply(code));
  const whole = quimper.state.statements.bind(quimper.state);
  const approved = (): boolean => quimper.state.authority().isMember(brest.state.siteId);
  quimper.state.statements = () =>
    whole().filter(({ body }) => !approved() || body.kind !== "OWNER");
  await quimper.approve(words);
  await time.advance(HOUR_MS);
  assert.equal(brest.state.meshId, undefined);
  assert.equal(brest.membership.membership().joining.problem?.code, "E-JOIN-PEER");
  quimper.state.statements = whole;
  await time.until(() => brest.isMember, HOUR_MS);
});

test("founding keeps nothing when a statement of it cannot stand", async () => {
  const { time, party } = await scene();
  const lorient = await party.node("lorient");
  const [genesis, , , site] = lorient.founding().map(encodeStatement);
  assert.ok(genesis && site);
  const found = lorient.membership.found([genesis, site]);
  assert.equal(await refusal(time, found), "E-MESH-STATEMENT");
  assert.equal(lorient.state.meshId, undefined);
});
