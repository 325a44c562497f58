/** Upstreams, and those who speak in their name, that lie, break the rules, or wait for us to give up. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { plainPlace, startForwarding, type Forwarding } from "../../../test-mesh/dns/forwarding.ts";
import {
  framed,
  replyTo,
  SOA,
  startUpstream,
  type Answering,
  type Received,
  type UpstreamServer,
} from "../../../test-mesh/dns/upstream-server.ts";

const GOOD = ".example. 300 A 192.0.2.1";

/** The right answer, as bytes to spoil. */
function right(received: Received): Uint8Array {
  return replyTo(received, { answers: [`${received.name} 300 A 192.0.2.1`] });
}

function spoiled(received: Received, spoil: (bytes: Buffer) => void): Uint8Array {
  const bytes = Buffer.from(right(received));
  spoil(bytes);
  return bytes;
}

describe("a hostile upstream", () => {
  let upstream: UpstreamServer;
  let lan: Forwarding;
  let count = 0;

  before(async () => {
    upstream = await startUpstream((received) => [right(received)]);
    lan = await startForwarding([plainPlace(upstream.port)]);
  });
  after(async () => {
    await lan.stop();
    await upstream.stop();
  });

  /** Asks for a name that nobody has asked for. */
  async function askNew(answering: Answering, type = "A") {
    upstream.answer((received) =>
      received.name === "." ? [right(received)] : answering(received),
    );
    const name = `h${++count}.example`;
    return { name, told: await lan.ask(name, type, { edns: {} }) };
  }
  const answered = (name: string): readonly string[] => [`${name}. A 192.0.2.1`];
  const lie = (received: Received): Uint8Array =>
    replyTo(received, { answers: [`${received.name} 300 A 203.0.113.66`] });

  it("is asked from another port, with another id and spelling, each time", async () => {
    const from = upstream.received.length;
    const long = "abcdefghijklmnopqrstuvwxyz";
    for (let times = 0; times < 8; times++) {
      upstream.answer((received) => [right(received)]);
      await lan.ask(`${long}${times}.example`, "A");
    }
    const asked = upstream.received.slice(from);
    const distinct = (of: (one: Received) => unknown): number => new Set(asked.map(of)).size;
    equal(asked.length, 8);
    ok(distinct(({ port }) => port) >= 7);
    ok(distinct(({ message }) => message.id) >= 7);
    equal(
      distinct(({ bytes }) => Buffer.from(bytes.subarray(12, 39)).toString("latin1")),
      8,
    );
  });

  it("gets nothing believed with a wrong id, another question, or no question", async () => {
    for (const wrong of [
      (bytes: Buffer) => (bytes[0] = (bytes[0] ?? 0) ^ 1),
      (bytes: Buffer) => (bytes[14] = (bytes[14] ?? 0) ^ 3),
      (bytes: Buffer) => (bytes[5] = 0),
      (bytes: Buffer) => (bytes[2] = (bytes[2] ?? 0) & 0x7f),
      (bytes: Buffer) => (bytes[2] = (bytes[2] ?? 0) | 0x28),
    ]) {
      const { name, told } = await askNew((received) => [
        spoiled(received, (bytes) => {
          bytes[bytes.length - 1] = 66;
          wrong(bytes);
        }),
        right(received),
      ]);
      deepEqual(told.answers, answered(name));
    }
  });

  it("is asked over TCP when many wrong answers come before the right one", async () => {
    const { name, told } = await askNew((received) => {
      if (received.carrier === "tcp") return [right(received)];
      return Array.from({ length: 20 }, (_, guess) =>
        Uint8Array.from(
          Object.assign(Buffer.from(lie(received)), {
            0: (guess << 3) ^ (received.bytes[0] ?? 0) ^ 1,
          }),
        ),
      );
    });
    deepEqual(told.answers, answered(name));
    equal(upstream.received.at(-1)?.carrier, "tcp");
  });

  it("is believed over TCP only when it does not keep the spelling", async () => {
    const own = await startUpstream((received) => {
      const bytes = Buffer.from(received.carrier === "tcp" ? right(received) : lie(received));
      for (let at = 12; bytes[at] !== 0; at++) {
        const byte = bytes[at] ?? 0;
        if (byte >= 0x41 && byte <= 0x5a) bytes[at] = byte + 0x20;
      }
      return [bytes];
    });
    const client = await startForwarding([plainPlace(own.port)]);
    try {
      const name = "abcdefghijklmnopqrstuvwxyz.example";
      deepEqual((await client.ask(name, "A")).answers, answered(name));
      // From now on it is asked in lower case, which it repeats.
      own.answer((received) => [right(received)]);
      deepEqual((await client.ask(`x${name}`, "A")).answers, answered(`x${name}`));
      const last = own.received.at(-1);
      equal(last?.carrier, "udp");
      ok(!/[A-Z]/.test(Buffer.from(last?.bytes.subarray(12, 50) ?? []).toString("latin1")));
    } finally {
      await client.stop();
      await own.stop();
    }
  });

  it("may be long: what does not fit comes by TCP, up to 64 KiB", async () => {
    const many = (name: string): readonly string[] =>
      Array.from(
        { length: 3900 },
        (_, index) => `${name} 300 A 203.0.${index >> 8}.${index & 255}`,
      );
    const { name, told } = await askNew((received) => {
      if (received.carrier === "udp") return [replyTo(received, { flags: { truncated: true } })];
      return [replyTo(received, { answers: many(received.name).slice(0, 900) })];
    });
    // It is too long for this client, too.
    ok(told.message.truncated && told.answers.length === 0);
    equal(upstream.received.filter((one) => one.name === `${name}.`).length, 2);
    const most = await askNew((received) => {
      if (received.carrier === "udp") return [replyTo(received, { flags: { truncated: true } })];
      return [replyTo(received, { answers: many(received.name) })];
    });
    equal(most.told.status, "SERVFAIL");
  });

  it("gets nothing but a failure for bytes that are no message", async () => {
    const cases: readonly ((received: Received) => Uint8Array)[] = [
      // A header that repeats the question, and then anything.
      (received) => Buffer.concat([head(received, 40), randomBytes(200)]),
      (received) => Buffer.concat([head(received, 65_535), randomBytes(40)]),
      // Names that point at one another, and at themselves.
      (received) =>
        Buffer.concat([head(received, 2), Buffer.from([0xc0, questionEnd(received), 0, 1, 0, 1])]),
      (received) => pointerBomb(received),
    ];
    for (const make of cases) {
      const { told } = await askNew((received) => [make(received)]);
      deepEqual([told.status, told.answers], ["SERVFAIL", []]);
    }
    const after = await askNew((received) => [right(received)]);
    deepEqual(after.told.answers, answered(after.name));
  });

  it("cannot slip in records of other names, nor addresses beside its answer", async () => {
    const victim = `victim${GOOD.replace("192.0.2.1", "203.0.113.66")}`;
    const { name, told } = await askNew((received) => [
      replyTo(received, {
        answers: [`${received.name} 300 A 192.0.2.1`, victim],
        authorities: ["example. 300 NS ns.evil.example.", "com. 300 NS ns.evil.example."],
        additionals: [victim, "ns.evil.example. 300 A 203.0.113.66"],
      }),
    ]);
    deepEqual([told.answers, told.authorities], [answered(name), []]);
    equal(told.message.additionals.length, 1);
    upstream.answer((received) => [right(received)]);
    deepEqual((await lan.ask("victim.example", "A")).answers, answered("victim.example"));
    const denied = await askNew((received) => [
      replyTo(received, { rcode: 3, authorities: [SOA.replace("example. 600", "other. 600")] }),
    ]);
    deepEqual([denied.told.status, denied.told.authorities], ["NXDOMAIN", []]);
  });

  it("cannot lead in circles", async () => {
    const { told } = await askNew((received) => [
      replyTo(received, {
        answers: [`${received.name} 60 CNAME b.example.`, `b.example. 60 CNAME ${received.name}`],
      }),
    ]);
    deepEqual([told.status, told.answers], ["SERVFAIL", []]);
    const own = await askNew((received) => [
      replyTo(received, { answers: [`${received.name} 60 CNAME ${received.name}`] }),
    ]);
    equal(own.told.status, "SERVFAIL");
    // Through a zone of ours and back.
    await lan.add("ring.bzh.example", "CNAME", "ring.example.");
    upstream.answer((received) => [
      replyTo(received, { answers: [`${received.name} 60 CNAME ring.bzh.example.`] }),
    ]);
    equal((await lan.ask("ring.bzh.example", "A")).status, "SERVFAIL");
    equal((await lan.ask("ring.example", "A")).status, "SERVFAIL");
  });

  it("is left when it drips, closes, or hangs on a connection", async () => {
    const carry: Readonly<Record<string, (received: Received) => void>> = {
      drips: (received) => void received.socket?.write(framed(right(received)).subarray(0, 9)),
      closes: (received) => void received.socket?.destroy(),
      babbles: (received) => void received.socket?.write(Uint8Array.of(0, 1, 0, 1, 0)),
      hangs: () => {},
    };
    for (const [how, act] of Object.entries(carry)) {
      const own = await startUpstream((received) => {
        if (!received.name.startsWith(how)) return [right(received)];
        if (received.carrier === "udp") return [replyTo(received, { flags: { truncated: true } })];
        act(received);
        return [];
      });
      const client = await startForwarding([plainPlace(own.port)]);
      try {
        const waiting = client.ask(`${how}.example`, "A");
        // Meanwhile it answers everything else.
        deepEqual((await client.ask("www.example", "A")).answers, answered("www.example"));
        equal((await waiting).status, "SERVFAIL");
      } finally {
        await client.stop();
        await own.stop();
      }
    }
  });

  it("is not heard where nobody has asked: answers from elsewhere do not count", async () => {
    const other = createSocket("udp4");
    other.bind(0, "127.0.0.1");
    await once(other, "listening");
    try {
      const { name, told } = await askNew(async (received) => {
        other.send(lie(received), received.port, "127.0.0.1");
        await new Promise<void>((done) => setImmediate(done));
        return [right(received)];
      });
      deepEqual(told.answers, answered(name));
    } finally {
      other.close();
    }
  });
});

function questionEnd({ bytes }: Received): number {
  let at = 12;
  while ((bytes[at] ?? 0) > 0) at += (bytes[at] ?? 0) + 1;
  return at + 5;
}

/** The question as it came, as an answer with so many records. */
function head(received: Received, answers: number): Buffer {
  const bytes = Buffer.from(received.bytes.subarray(0, questionEnd(received)));
  bytes[2] = 0x81;
  bytes[3] = 0x80;
  bytes.writeUInt16BE(answers, 6);
  bytes.writeUInt32BE(0, 8);
  return bytes;
}

/** As many records as fit, the owner of each a chain of pointers through those before. */
function pointerBomb(received: Received): Uint8Array {
  const parts = [head(received, 1000)];
  let place = questionEnd(received);
  for (let index = 0; index < 1000; index++) {
    const to = index === 0 ? 12 : place - 14;
    const owner = Buffer.from([1, 0x61, 0xc0 | (to >> 8), to & 255]);
    const rest = Buffer.from([0, 1, 0, 1, 0, 0, 0, 9, 0, 0]);
    parts.push(Buffer.concat([owner, rest]));
    place += 14;
  }
  return Buffer.concat(parts);
}
