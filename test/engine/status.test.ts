import { join } from 'node:path';
import { expect, test } from 'vitest';
import { engine, Journal } from '../../src/index.js';
import { NOBODY, openReceiver, openSender } from '../support/nodes.js';
import { newDirectory } from '../support/temp.js';

/** Whoever watches a node sees which engine it works with. */

test('the status of a journal, a sender and a receiver has the engine', async () => {
  const journal = await Journal.open({ dir: join(newDirectory(), 'journal') });
  const [sender, receiver] = [await openSender({ peers: [NOBODY] }), await openReceiver()];
  for (const one of [journal, sender, receiver]) expect(one.status().engine).toBe(engine);
  await journal.close();
});

test('nobody can change it', () => {
  expect(Object.isFrozen(engine)).toBe(true);
  expect(Object.isFrozen(engine.codecs)).toBe(true);
});
