import assert from "node:assert/strict";
import { test } from "node:test";
import type { Channel } from "../../core/transport.ts";
import { idOf, sha256, type SiteId } from "../../../protocol/ids.ts";
import { onChannel, type Address } from "./open-channel.ts";

const address: Address = {
  ...{ site: idOf<SiteId>(sha256("peer")), protocol: "/pleach/test/1", timeoutMs: 10_000 },
};

/** A transport whose channels come about when the test says so, and a peer that never answers. */
function slow() {
  const aborted: string[] = [];
  const opened = Promise.withResolvers<Channel>();
  const answer = Promise.withResolvers<undefined>();
  answer.promise.catch(() => {});
  const channel: Channel = {
    peer: address.site,
    send: async () => {},
    receive: () => answer.promise,
    end: async () => {},
    abort: (reason) => {
      aborted.push(reason);
      answer.reject(new Error(reason));
    },
  };
  return {
    transport: { open: () => opened.promise },
    come: () => opened.resolve(channel),
    aborted,
  };
}

test("a stop ends the opening at once, and closes the channel when it comes about later", async () => {
  const { transport, come, aborted } = slow();
  const stop = new AbortController();
  let begun = false;
  const work = onChannel(transport, address, stop.signal, async () => {
    begun = true;
  });
  stop.abort(new Error("the node stops"));
  await assert.rejects(work, /the node stops/);
  come();
  await new Promise(setImmediate);
  assert.deepEqual([begun, aborted], [false, ["not needed any more"]]);
});

test("a stop cuts a channel on which an answer is waited for", async () => {
  const { transport, come, aborted } = slow();
  const stop = new AbortController();
  const { promise: waits, resolve } = Promise.withResolvers<void>();
  const work = onChannel(transport, address, stop.signal, async (channel) => {
    const answer = channel.receive(60_000);
    resolve();
    await answer;
  });
  come();
  await waits;
  stop.abort();
  await assert.rejects(work, /the node stops/);
  assert.equal(aborted[0], "the node stops");
});

test("the channel is closed after the work, and what it brought is given back", async () => {
  const { transport, come, aborted } = slow();
  come();
  const { signal } = new AbortController();
  assert.equal(await onChannel(transport, address, signal, async () => 7), 7);
  assert.deepEqual(aborted, ["done"]);
  const refused = { open: () => Promise.reject(new Error("not linked")) };
  await assert.rejects(
    onChannel(refused, address, signal, async () => 7),
    /not linked/,
  );
});
