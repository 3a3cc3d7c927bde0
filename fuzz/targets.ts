import { batchHostile, batchRoundTrip } from './batches.js';
import { bodiesHostile } from './bodies.js';
import { bytesHostile, bytesRoundTrip } from './bytes.js';
import { channelHostile } from './channels.js';
import { contentChunks, contentDelta, contentMatch } from './content.js';
import { hostileFrames, mutatedFrames, validFrames } from './frames.js';
import { handshake } from './handshake.js';
import { laneHostile } from './lanes.js';
import { checksums, records } from './records.js';
import { strangers } from './strangers.js';
import type { FuzzTarget } from './target.js';
import { ends, joins, windows } from './windows.js';

/** Every target of a normal run, and of the smoke run in the tests. */
export const targets: readonly FuzzTarget[] = [
  validFrames,
  mutatedFrames,
  hostileFrames,
  windows,
  joins,
  ends,
  laneHostile,
  channelHostile,
  strangers,
  handshake,
  bytesRoundTrip,
  bytesHostile,
  contentChunks,
  contentDelta,
  contentMatch,
  records,
  checksums,
  batchRoundTrip,
  batchHostile,
  bodiesHostile,
];
