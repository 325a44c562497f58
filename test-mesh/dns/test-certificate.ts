/** A certificate of a server and the authority that has signed it, made for one test by openssl. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Certificate } from "./upstream-server.ts";

export interface TestCertificate extends Certificate {
  /** Of the authority, as PEM. */
  readonly authorities: string;
}

/** @param name - What it is good for: a host name or an IP address. */
export function makeCertificate(name: string): TestCertificate {
  const folder = mkdtempSync(join(tmpdir(), "pl-cert-"));
  const file = (each: string): string => join(folder, each);
  const openssl = (...words: readonly string[]): void => {
    execFileSync("openssl", words, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  try {
    openssl(
      ...["req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2"],
      ...["-subj", "/CN=Test authority"],
    );
    openssl(
      ...["req", "-x509", ...key, "-keyout", "server.key", "-out", "server.pem", "-days", "2"],
      ...[
        "-subj",
        `/CN=${name}`,
        "-addext",
        `subjectAltName=${isIP(name) > 0 ? "IP" : "DNS"}:${name}`,
      ],
      ...["-addext", "basicConstraints=critical,CA:FALSE", "-CA", "ca.pem", "-CAkey", "ca.key"],
    );
    const read = (each: string): string => readFileSync(file(each), "utf8");
    return { key: read("server.key"), cert: read("server.pem"), authorities: read("ca.pem") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
