/** Real meshes on loopback for tests: keys from a seed, a membership that a test turns by hand. */
import type { MeshId, PeerKey, SiteId } from "../../protocol/ids.ts";
import { idOf, sha256 } from "../../protocol/ids.ts";
import { signingKey, type SigningKey } from "../../protocol/keys/signature.ts";
import type { Tap } from "../../daemon/mesh/frame-channel.ts";
import type { Membership } from "../../daemon/mesh/membership.ts";
import { Mesh } from "../../daemon/mesh/mesh.ts";
import { silentLogger, type Logger } from "../../daemon/observe/log.ts";
import { systemClock } from "../../daemon/observe/system-clock.ts";
import type { Clock } from "../../daemon/core/clock.ts";
import type { UplinkRule } from "../../daemon/core/backup/uplink-rule.ts";

const testMeshId = idOf<MeshId>(sha256("test mesh"));

export function testKey(name: string): SigningKey {
  return signingKey(sha256(`test key ${name}`));
}

export function siteIdOf(key: SigningKey): SiteId {
  return idOf<SiteId>(key.publicKey);
}

/** Who is what, as a test says. */
export class TestMembership implements Membership {
  readonly members = new Set<PeerKey>();
  readonly recoveryKeys = new Set<PeerKey>();
  readonly former = new Set<PeerKey>();
  open = false;
  mesh: MeshId | undefined = testMeshId;

  isMember(key: PeerKey): boolean {
    return this.members.has(key);
  }

  isRecoveryKey(key: PeerKey): boolean {
    return this.recoveryKeys.has(key);
  }

  isFormer(key: PeerKey): boolean {
    return this.former.has(key);
  }

  joinOpen(): boolean {
    return this.open;
  }

  meshId(): MeshId | undefined {
    return this.mesh;
  }
}

export interface TestMeshOptions {
  readonly membership?: Membership;
  readonly listen?: readonly string[];
  readonly dht?: boolean;
  readonly clock?: Clock;
  readonly log?: Logger;
  readonly tap?: Tap;
  readonly uplinks?: () => readonly UplinkRule[];
}

export function startTestMesh(name: string, options: TestMeshOptions = {}): Promise<Mesh> {
  return Mesh.start({
    siteKey: testKey(name),
    listen: options.listen ?? ["/ip4/127.0.0.1/tcp/0"],
    announce: [],
    dht: options.dht ?? false,
    membership: options.membership ?? new TestMembership(),
    clock: options.clock ?? systemClock,
    log: options.log ?? silentLogger,
    version: "test",
    ...(options.tap === undefined ? {} : { tap: options.tap }),
    ...(options.uplinks === undefined ? {} : { uplinks: options.uplinks }),
  });
}

/** Members of one mesh that know one another's keys, not linked yet. */
export async function startMembers(
  names: readonly string[],
  options: TestMeshOptions = {},
): Promise<{ meshes: Mesh[]; membership: TestMembership }> {
  const membership = new TestMembership();
  for (const name of names) membership.members.add(siteIdOf(testKey(name)));
  const meshes = await Promise.all(
    names.map((name) => startTestMesh(name, { membership, ...options })),
  );
  return { meshes, membership };
}

export function rosterOf(
  meshes: readonly Mesh[],
): { siteId: SiteId; addresses: readonly string[] }[] {
  return meshes.map((mesh) => ({ siteId: mesh.self, addresses: mesh.addresses() }));
}

/** Gives all the roster of all, and waits until each is linked with each. */
export async function linkAll(meshes: readonly Mesh[]): Promise<void> {
  for (const mesh of meshes) mesh.setRoster(rosterOf(meshes));
  await until(() => meshes.every((mesh) => mesh.links().length === meshes.length - 1), 20_000);
}

/** Waits for a condition. @throws Error when it does not come in time. */
export async function until(condition: () => boolean, timeoutMs: number): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > endMs)
      throw new Error(`not within ${timeoutMs} ms: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
