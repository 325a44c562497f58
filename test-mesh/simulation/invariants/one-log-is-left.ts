/**
 * However often an honest site was started, put back or doubled: when it starts anew and goes on, one
 * log of it is left, on every node. And the last change of each site is seen by all.
 */
import assert from "node:assert/strict";
import { LAST_KEY, type Healed } from "../heal.ts";

export function oneLogIsLeft({ sites, restarted }: Healed): void {
  for (const { state, name } of sites) {
    const view = state.view();
    for (const { id, name: author } of sites) {
      const shown = view.get("site", LAST_KEY, id);
      assert.ok(shown !== undefined, `${name} does not see the last change of ${author}`);
    }
    const last = view.get("site", LAST_KEY, restarted.id);
    const own = state.logHeads().filter(({ author }) => author === restarted.id);
    const part = own.find(({ log }) => log === last?.log)?.part;
    // One that was taken up whole is still told of while a decision names an entry of it.
    const logs = own.filter((each) => {
      return each.class === "site" && each.part === part && each.seq > each.takenUp;
    });
    assert.equal(logs.length, 1, `${name} counts ${logs.length} logs of ${restarted.name}`);
  }
}
