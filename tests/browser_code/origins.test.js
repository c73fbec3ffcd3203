// What a cell was made from, as areas of the tensors that one sees.

import assert from "node:assert/strict";
import { test } from "node:test";

import { areaOf, inSight, withBehind } from "../../lmviz/ui/browser/origins.js";
import { cropped, prepare } from "../../lmviz/ui/browser/window.js";
import { panel } from "./panels.js";

const line = { start: 0, by: 1 };

/** @type {(rows: number, cols: number, more?: object) => import("../../lmviz/ui/browser/client.d.ts").Panel} */
const shown = (rows, cols, more = {}) => prepare(panel(rows, cols, { lead: [0, 1], ...more }));

test("a score is made from a row of the queries and, as one sees it, a column of the keys", () => {
  const [q, k] = [shown(4, 8), shown(4, 8, { turned: true })];
  const head = [{ start: 0 }, { start: 1 }];
  assert.deepEqual(areaOf({ address: "", at: [...head, { start: 0, row: line }, null] }, q, [2, 3]), {
    rows: [2, 2],
    cols: [0, 7],
  });
  assert.deepEqual(areaOf({ address: "", at: [...head, { start: 0, col: line }, null] }, k, [2, 3]), {
    rows: [0, 7],
    cols: [3, 3],
  });
});

test("cells of another head, cells that nothing was read from, and cells out of sight are not shown", () => {
  const other = shown(4, 8);
  const each = { start: 0, by: 0, each: [0, null, 2] };
  assert.equal(areaOf({ address: "", at: [{ start: 0 }, { start: 0 }, null, null] }, other, [0, 0]), null);
  assert.equal(
    areaOf({ address: "", at: [{ start: 0 }, { start: 1 }, null, { start: 0, col: each }] }, other, [0, 1]),
    null,
  );
  assert.deepEqual(
    areaOf({ address: "", at: [{ start: 0 }, { start: 1 }, null, { start: 1, col: each }] }, other, [0, 2]),
    {
      rows: [0, 3],
      cols: [3, 3],
    },
  );
  const later = shown(4, 8, { start: [60, 0], size: [99, 8] });
  assert.equal(inSight(later, [5, 0], [5, 7]), null);
  assert.deepEqual(inSight(later, [0, 0], [98, 0]), { rows: [0, 3], cols: [0, 0] });
});

test("what the pinned cell was made from is in the part of its tensor that is shown", () => {
  const at = [{ start: 0, col: line }, null];
  const made = panel(3, 60, { address: "y", pinned: [0, 47], origins: [{ address: "w", at }] });
  const weight = panel(60, 9, { address: "w", turned: true });
  const [other, behind] = withBehind([panel(3, 9), weight, made]);
  assert.equal(other.behind, undefined);
  assert.deepEqual(behind.behind, [47, 0]);
  const { start, window } = cropped(behind, 20, 4);
  assert.ok(start[0] <= 47 && 47 < start[0] + window[0]);
  assert.deepEqual(cropped({ ...behind, by_hand: true }, 20, 4).start, [0, 0]);
  assert.deepEqual(withBehind([weight]), [weight]);
});
