import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { publish } from '../../src/engine/events.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const NAME = 'longhaul:detached';
const EVENT = { dir: 'd', cursor: 'c', position: 1 };

/** Turns of the event loop in which finalizers run. */
async function turns(): Promise<void> {
  for (let count = 0; count < 10; count++) await setImmediate();
}

test('whoever subscribes hears of it, also when the collector has been there since the one before', async () => {
  for (let round = 0; round < 5; round++) {
    publish('detached', EVENT);
    await turns();
    collect();
    const heard: unknown[] = [];
    const listener = (event: unknown): void => void heard.push(event);
    subscribe(NAME, listener);
    await turns();
    publish('detached', EVENT);
    expect(heard).toEqual([EVENT]);
    expect(channel(NAME).hasSubscribers).toBe(true);
    unsubscribe(NAME, listener);
  }
});
