/**
 * Let's Encrypt's test server (Debian's pebble), which looks for challenges at every name server of
 * a zone: it gets an answer only when all of them have one.
 */
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { askUdp, type Server } from "../../daemon/dns/ask.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import { freePort, SERVER_ADDRESS } from "../dns/debian-servers.ts";
import { runProcess } from "../run-process.ts";
import { waitFor } from "../wait.ts";

const WITHIN_MS = 30_000;
const ANSWER_MS = 3000;

export interface AcmeServer {
  /** Of its directory (RFC 8555 section 7.1.1). */
  readonly url: string;
  /** What its questions met: how many records each name server answered with. */
  readonly asked: readonly (readonly number[])[];
  stop(): Promise<void>;
}

/** @param nameServers - All that the world would ask. */
export async function startAcmeServer(
  directory: string,
  nameServers: readonly Server[],
): Promise<AcmeServer> {
  const [key, certificate] = [join(directory, "acme.key"), join(directory, "acme.pem")];
  const made = await runProcess("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
    ...["-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=acme"],
    ...["-addext", `subjectAltName=IP:${SERVER_ADDRESS}`],
  ]);
  if (made.exit !== 0) throw new Error(made.stderr);
  const resolver = await askingAll(nameServers);
  const [port, managementPort] = [await freePort(), await freePort()];
  const config = {
    listenAddress: `${SERVER_ADDRESS}:${port}`,
    managementListenAddress: `${SERVER_ADDRESS}:${managementPort}`,
    ...{ certificate, privateKey: key, httpPort: 1, tlsPort: 1, ocspResponderURL: "" },
    externalAccountBindingRequired: false,
  };
  const configFile = join(directory, "acme.json");
  await writeFile(configFile, JSON.stringify({ pebble: config }));
  const where = ["-config", configFile, "-dnsserver", `${SERVER_ADDRESS}:${resolver.port}`];
  const child = spawn("pebble", where, {
    stdio: "ignore",
    // It looks at once instead of up to 15 s later, and refuses none of the nonces that are good.
    env: { ...process.env, PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "0" },
  });
  const exit = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill();
    await exit;
    resolver.close();
  };
  await waitFor("the ACME server", WITHIN_MS, () => isListening(port)).catch(async (error) => {
    await stop();
    throw error;
  });
  return { url: `https://${SERVER_ADDRESS}:${port}/dir`, asked: resolver.asked, stop };
}

/** Puts each question to all and gives the answer of the one that has least. */
async function askingAll(nameServers: readonly Server[]) {
  const socket = createSocket("udp4");
  const asked: number[][] = [];
  socket.on("message", (question, { address, port }) => {
    void (async () => {
      const answers = await Promise.all(
        nameServers.map((server) => askUdp(server, question, ANSWER_MS, systemClock)),
      );
      const records = answers.map((answer) => (answer === undefined ? 0 : recordsIn(answer)));
      asked.push(records);
      const least = answers[records.indexOf(Math.min(...records))];
      if (least !== undefined) socket.send(least, port, address);
    })();
  });
  socket.bind(0, SERVER_ADDRESS);
  await once(socket, "listening");
  return { port: socket.address().port, asked, close: () => socket.close() };
}

function recordsIn(answer: Uint8Array): number {
  return Buffer.from(answer).readUInt16BE(6);
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, SERVER_ADDRESS);
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
