/** Upstreams over TLS: whom they trust, how they use a connection, and when plain ones are asked. */
import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TLSSocket } from "node:tls";
import { plainPlace, startForwarding, tlsPlace } from "../../../test-mesh/dns/forwarding.ts";
import { makeCertificate, type TestCertificate } from "../../../test-mesh/dns/test-certificate.ts";
import {
  replyTo,
  startUpstream,
  type Received,
  type UpstreamServer,
} from "../../../test-mesh/dns/upstream-server.ts";
import { waitFor } from "../../../test-mesh/wait.ts";

const TIMEOUT_MS = 20_000;

const same = (received: Received): readonly Uint8Array[] => [
  replyTo(received, { answers: [`${received.name} 300 A 192.0.2.1`] }),
];

describe("an upstream over TLS", () => {
  let certificate: TestCertificate;
  let upstream: UpstreamServer;

  before(async () => {
    certificate = makeCertificate("dns.test");
    upstream = await startUpstream(same, certificate);
  });
  after(() => upstream.stop());

  const withTls = (name?: string, places = [tlsPlace(upstream.tlsPort, name)]) =>
    startForwarding(places, { authorities: certificate.authorities });

  it("is asked over one connection, padded, for many questions at once, in any order", async () => {
    upstream.answer((received) => same(received));
    const lan = await withTls();
    try {
      const held: (() => void)[] = [];
      upstream.answer(async (received) => {
        // The first question is answered last.
        if (received.name.startsWith("n0.")) await new Promise<void>((go) => held.push(go));
        return same(received);
      });
      const before = upstream.connections();
      const slow = lan.ask("n0.example", "A");
      await waitFor("the slow question", TIMEOUT_MS, () => held.length > 0);
      const names = Array.from({ length: 20 }, (_, index) => `n${index + 1}.example`);
      const told = await Promise.all(names.map((name) => lan.ask(name, "A")));
      for (const go of held) go();
      deepEqual((await slow).answers, ["n0.example. A 192.0.2.1"]);
      deepEqual(
        told.map(({ answers }) => answers),
        names.map((name) => [`${name}. A 192.0.2.1`]),
      );
      equal(upstream.connections() - before, 1);
      for (const { bytes, carrier } of upstream.received) {
        deepEqual([carrier, bytes.length % 128], ["tls", 0]);
      }
    } finally {
      await lan.stop();
    }
  });

  it("is asked anew when it has closed the connection", async () => {
    const lan = await withTls();
    try {
      await lan.ask("a.example", "A");
      upstream.hangUp();
      deepEqual((await lan.ask("b.example", "A")).answers, ["b.example. A 192.0.2.1"]);
      // And knows us by the last one.
      const { socket } = upstream.received.at(-1) ?? {};
      ok(socket instanceof TLSSocket && socket.isSessionReused());
      equal(socket.alpnProtocol, "dot");
      equal(lan.forwarder.status().upstreams[0]?.reached, true);
    } finally {
      await lan.stop();
    }
  });

  it("is asked again over a new connection when one has closed on a question", async () => {
    const lan = await withTls();
    try {
      await lan.ask("c.example", "A");
      let times = 0;
      upstream.answer((received) => {
        times += 1;
        if (times > 1) return same(received);
        received.socket?.destroy();
        return [];
      });
      deepEqual((await lan.ask("d.example", "A")).answers, ["d.example. A 192.0.2.1"]);
    } finally {
      upstream.answer(same);
      await lan.stop();
    }
  });

  it("may be known by its address instead of a name", async () => {
    const own = makeCertificate("127.0.0.1");
    const server = await startUpstream(same, own);
    const { authorities } = own;
    const lan = await startForwarding([tlsPlace(server.tlsPort, "127.0.0.1")], { authorities });
    const wrong = await startForwarding([tlsPlace(server.tlsPort, "127.0.0.9")], { authorities });
    try {
      deepEqual((await lan.ask("a.example", "A")).answers, ["a.example. A 192.0.2.1"]);
      equal((await wrong.ask("b.example", "A")).status, "SERVFAIL");
      equal(server.received.length, 1);
    } finally {
      await Promise.all([lan.stop(), wrong.stop(), server.stop()]);
    }
  });

  it("is told nothing when its certificate is for another name", async () => {
    const lan = await withTls("dns.other");
    try {
      const before = upstream.received.length;
      const told = await lan.ask("x.example", "A", { edns: {} });
      deepEqual([told.status, told.error], ["SERVFAIL", 23]);
      equal(upstream.received.length, before);
      const reason = await waitFor("the verdict", TIMEOUT_MS, () => {
        return lan.forwarder.status().upstreams[0]?.reason ?? undefined;
      });
      equal(reason, "ERR_TLS_CERT_ALTNAME_INVALID");
      ok(lan.lines.some((line) => line.includes("upstream is not reached")));
    } finally {
      await lan.stop();
    }
  });

  it("is told nothing when nobody that we trust vouches for it", async () => {
    const lan = await startForwarding([tlsPlace(upstream.tlsPort)]);
    try {
      const before = upstream.received.length;
      equal((await lan.ask("y.example", "A")).status, "SERVFAIL");
      equal(upstream.received.length, before);
    } finally {
      await lan.stop();
    }
  });

  it("is asked before a plain one, which is asked only when it is gone", async () => {
    const plain = await startUpstream((received) => [
      replyTo(received, { answers: [`${received.name} 300 A 192.0.2.2`] }),
    ]);
    const places = [plainPlace(plain.port), tlsPlace(upstream.tlsPort)];
    const lan = await withTls(undefined, places);
    try {
      deepEqual((await lan.ask("e.example", "A")).answers, ["e.example. A 192.0.2.1"]);
      // That it has no answer is an answer, and nothing for other ears.
      upstream.answer((received) => [replyTo(received, { rcode: 2 })]);
      equal((await lan.ask("f.example", "A")).status, "SERVFAIL");
      equal(plain.received.length, 0);
      upstream.answer(() => []);
      upstream.hangUp();
      deepEqual((await lan.ask("g.example", "A")).answers, ["g.example. A 192.0.2.2"]);
      upstream.answer(same);
      await waitFor("the upstream to be back", TIMEOUT_MS, () =>
        lan.forwarder.status().upstreams.every(({ reached }) => reached),
      );
      deepEqual((await lan.ask("h.example", "A")).answers, ["h.example. A 192.0.2.1"]);
    } finally {
      upstream.answer(same);
      await lan.stop();
      await plain.stop();
    }
  });

  it("is passed over by the first question already when nobody listens there", async () => {
    const plain = await startUpstream(same);
    const gone = await startUpstream(same, certificate);
    await gone.stop();
    const lan = await withTls(undefined, [tlsPlace(gone.tlsPort), plainPlace(plain.port)]);
    try {
      deepEqual((await lan.ask("a.example", "A")).answers, ["a.example. A 192.0.2.1"]);
    } finally {
      await Promise.all([lan.stop(), plain.stop()]);
    }
  });

  it("passes on that it has checked signatures, which a plain one cannot", async () => {
    const checked = (received: Received): readonly Uint8Array[] => [
      replyTo(received, {
        answers: [`${received.name} 300 A 192.0.2.1`],
        flags: { authenticData: received.message.authenticData },
      }),
    ];
    upstream.answer(checked);
    const lan = await withTls();
    try {
      const asking = { flags: { authenticData: true } };
      ok((await lan.ask("i.example", "A", asking)).message.authenticData);
      ok((await lan.ask("i.example", "A", asking)).message.authenticData);
      ok(!(await lan.ask("i.example", "A")).message.authenticData);
      const withDo = await lan.ask("i.example", "A", { edns: { dnssecOk: true } });
      ok(withDo.message.authenticData);
      const last = upstream.received.at(-1)?.message;
      notEqual(last, undefined);
      equal((last?.additionals[0]?.ttl ?? 0) & 0x8000, 0x8000);
    } finally {
      upstream.answer(same);
      await lan.stop();
    }
  });
});
