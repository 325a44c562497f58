import { deepEqual, equal } from "node:assert/strict";
import { it } from "node:test";
import { CLASS, OPCODE, RCODE } from "../../../protocol/dns/dns-code.ts";
import type { DecodedMessage } from "../../../protocol/dns/decode-message.ts";
import { parseDnsName } from "../../../protocol/dns/dns-name.ts";
import { TYPE } from "../../../protocol/dns/dns-type.ts";
import { PleachError } from "../../../protocol/error.ts";
import { FakeTime } from "../../../test-mesh/fakes/clock.ts";
import { siteIdOf, StaticSource } from "../../../test-mesh/dns/static-source.ts";
import { zoneOfLines } from "../../../test-mesh/dns/zone-lines.ts";
import type { ZoneKey } from "../../core/zones/zone-keys.ts";
import { silentLogger } from "../../observe/log.ts";
import { ZoneTree } from "../zone-tree.ts";
import { Updater } from "./updater.ts";

class Full extends PleachError<"E-NO-SPACE"> {}

const ZONE = parseDnsName("mesh.example");
const RIGHT: ZoneKey = {
  ...{ zone: ZONE, name: parseDnsName("friend"), author: siteIdOf("quimper"), check: "" },
  ...{
    algorithm: "hmac-sha256",
    transfer: false,
    update: [{ names: "**.mesh.example", types: [] }],
  },
};
const tree = new ZoneTree([
  zoneOfLines(`
mesh.example. 300 IN SOA ns.mesh.example. h.mesh.example. 7 3600 300 1209600 60
mesh.example. 300 IN NS ns.mesh.example.
`),
]);

it("a full disk refuses nothing for good: the same update is made when there is room", async () => {
  const source = new StaticSource(["quimper"]);
  let isFull = true;
  const updater = new Updater({
    view: () => source.view(),
    tree: () => tree,
    apply: async () => {
      if (isFull) throw new Full("E-NO-SPACE", "The disk is full.");
      return { serial: 8 };
    },
    whenServed: async () => 0,
    clock: new FakeTime().clock(),
    log: silentLogger,
  });
  const added = { owner: parseDnsName("a.mesh.example"), type: TYPE.A, class: CLASS.IN, ttl: 60 };
  const message = {
    ...{ id: 1, opcode: OPCODE.UPDATE, rcode: 0, response: false, authoritative: false },
    ...{ truncated: false, recursionDesired: false, recursionAvailable: false, reserved: false },
    ...{ authenticData: false, checkingDisabled: false },
    questions: [{ name: ZONE, type: TYPE.SOA, class: CLASS.IN }],
    ...{ answers: [], additionals: [], trailingBytes: 0 },
    authorities: [{ ...added, rdata: Uint8Array.of(192, 0, 2, 1), start: 0, end: 0 }],
  } satisfies DecodedMessage;
  const packet = Uint8Array.of(1, 2, 3);
  const update = () => updater.update(message, packet, [RIGHT]);
  equal(await update(), RCODE.SERVFAIL);
  equal(await update(), RCODE.SERVFAIL);
  isFull = false;
  equal(await update(), RCODE.NOERROR);
  isFull = true;
  // Again as it came: it was made, and is answered as it was.
  deepEqual([await update(), await update()], [RCODE.NOERROR, RCODE.NOERROR]);
});
