import { describe, expect, test } from 'vitest';
import { ownCapability } from '../../src/engine/capability.js';
import { Journal } from '../../src/index.js';
import { CODEC_LZ4, CODEC_NONE, CODEC_ZSTD, CODEC_ZSTD_FIRST } from '../../src/reduce/body.js';
import { Decoder, type HistorySource } from '../../src/reduce/decoder.js';
import { Encoder } from '../../src/reduce/encoder.js';
import { frameBytesMin } from '../../src/reduce/frame-credit.js';
import { History } from '../../src/reduce/history.js';
import { Outliner } from '../../src/reduce/outline.js';
import { LADDER, type Rung } from '../../src/reduce/pace.js';
import { readPrefix } from '../../src/reduce/prefix.js';
import { Primer } from '../../src/reduce/primer.js';
import { Stages } from '../../src/reduce/stages.js';
import { randomFor } from '../support/seed.js';
import { atEnd, newDirectory } from '../support/temp.js';

/** One session that goes from rung to rung: whatever the order, the peer has what it needs for each batch. */

const WINDOW_LOG = 20;
const RECORD_BYTES = 16 * 1024;
const outliner = new Outliner(Buffer.alloc(32, 1));

/** Text that resembles what was written to the same place before, in one record of three; noise in one of twenty. */
async function fill(records: number, seed: number): Promise<Journal> {
  const random = randomFor(seed);
  const journal = await Journal.open({ dir: newDirectory(), segmentBytes: 256 * 1024 });
  atEnd(() => journal.close());
  const places = new Map<number, Buffer>();
  for (let record = 0; record < records; record++) {
    const place = random.below(records / 2);
    const before = places.get(place);
    const payload = before !== undefined ? Buffer.from(before) : text(random);
    if (before !== undefined) payload.writeUInt32LE(record, random.below(RECORD_BYTES - 4));
    places.set(place, payload);
    await journal.assign(payload, { key: `key ${Math.floor(place / 10)}`, offset: (place % 10) * RECORD_BYTES });
  }
  await journal.flush();
  return journal;
}

function text(random: ReturnType<typeof randomFor>): Buffer {
  return random.below(20) === 0
    ? random.bytes(RECORD_BYTES)
    : Buffer.from(random.bytes(RECORD_BYTES / 2).toString('hex'));
}

interface Course {
  peerWindowLog: number;
  held?: number;
  mayWait?: () => boolean;
}

/** Sends all of a journal behind `held`, and has each batch restored; returns the codecs of the bodies. */
async function transfer(
  journal: Journal,
  rungAt: (batch: number) => Rung,
  { peerWindowLog, held = 0, mayWait }: Course,
) {
  const history = new History();
  for await (const record of journal.read(1)) if (record.sequence <= held) history.note(outliner.of(record));
  const least = frameBytesMin(peerWindowLog);
  let batch = 0;
  const encoder = new Encoder({
    plan: { codec: 'zstd', level: 3, windowLog: WINDOW_LOG },
    stages: new Stages(),
    rung: () => rungAt(batch++),
    starts: new Primer({
      journal,
      history,
      windowLog: WINDOW_LOG,
      level: 3,
      frameBytesMin: least,
      held: () => held,
      ...(mayWait === undefined ? {} : { mayWait }),
    }),
    known: { journal, history, outliner },
    floor: () => 1,
  });
  const source: HistorySource = {
    payloads: (ranges, bytesMax) => readPrefix(journal, ranges, bytesMax),
    parts: (ranges) => journal.readRanges(ranges),
  };
  const decoder = new Decoder(new Stages(), source, { lz4: true, zstd: true, windowLogMax: peerWindowLog });
  atEnd(() => {
    encoder.close();
    decoder.close();
  });
  const codecs: number[] = [];
  const used: string[] = [];
  let firstBytes = 0;
  for await (const records of journal.readBatches(held + 1, { batchBytesMax: 64 * 1024 })) {
    const prepared = await encoder.prepare(records);
    const body = Buffer.concat(await encoder.finish(prepared));
    const { codec, level } = encoder.used(prepared);
    used.push(`${codec} ${level}`);
    codecs.push(body.readUInt8(0));
    if (codecs.length === 1) firstBytes = prepared.prefix?.content.byteLength ?? 0;
    const restored = (await decoder.decode(body)).records.map(({ payload }) => payload);
    expect(Buffer.concat(restored).equals(Buffer.concat(records.map(({ payload }) => payload)))).toBe(true);
  }
  return { codecs, used, firstBytes };
}

describe.runIf(ownCapability().zstd)('a session', () => {
  test.each([20, 22, 24])('changes its rung at any batch, for a peer with a window of 2^%i', async (peerWindowLog) => {
    const random = randomFor(621);
    const journal = await fill(600, 622);
    let rung = LADDER[3] as Rung;
    const { codecs, used } = await transfer(
      journal,
      () => {
        if (random.below(3) === 0) rung = LADDER[random.below(LADDER.length)] as Rung;
        return rung;
      },
      { peerWindowLog },
    );
    expect(new Set(codecs)).toEqual(new Set([CODEC_NONE, CODEC_LZ4, CODEC_ZSTD, CODEC_ZSTD_FIRST]));
    const frames = codecs.filter((codec) => codec === CODEC_ZSTD_FIRST).length;
    expect(frames).toBeLessThanOrEqual(1 + (600 * RECORD_BYTES) / frameBytesMin(peerWindowLog));
    if (peerWindowLog === 20) expect(new Set(used).size).toBeGreaterThan(4);
  });

  test('begins a frame for another level as soon as the peer lets it, and no sooner', async () => {
    const journal = await fill(300, 623);
    const levels = [3, 6, 9, 1];
    const { codecs, used } = await transfer(
      journal,
      (batch) => ({ codec: 'zstd', level: levels[Math.floor(batch / 20)] ?? 3 }),
      { peerWindowLog: WINDOW_LOG },
    );
    expect(used.slice(15, 20).every((name) => name === 'zstd 3')).toBe(true);
    expect(used.slice(25, 40).every((name) => name === 'zstd 6')).toBe(true);
    expect(used.slice(45, 60).every((name) => name === 'zstd 9')).toBe(true);
    expect(codecs.filter((codec) => codec === CODEC_ZSTD_FIRST).length).toBeGreaterThanOrEqual(4);
  });

  test('whose records may not wait begins without a prefix', async () => {
    const journal = await fill(300, 624);
    const level3 = (): Rung => ({ codec: 'zstd', level: 3 });
    const course = { peerWindowLog: WINDOW_LOG, held: 150 };
    expect((await transfer(journal, level3, { ...course, mayWait: () => false })).firstBytes).toBe(0);
    expect((await transfer(journal, level3, course)).firstBytes).toBeGreaterThan(200_000);
  });
});
