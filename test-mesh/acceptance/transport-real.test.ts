/** The transport suite over real meshes on loopback: TCP, Noise, yamux. */
import { Mesh } from "../../daemon/mesh/mesh.ts";
import { linkAll, startMembers } from "../network/mesh-world.ts";
import { transportSuite } from "./transport-suite.ts";

transportSuite("real mesh", async (memberCount) => {
  const names = Array.from({ length: memberCount }, (_, index) => `member ${index}`);
  const { meshes } = await startMembers(names);
  return {
    members: meshes,
    link: () => linkAll(meshes),
    stop: async (member) => {
      if (member instanceof Mesh) await member.stop();
    },
    resolve: (promise) => promise,
    close: async () => {
      await Promise.all(meshes.map((mesh) => mesh.stop()));
    },
  };
});
