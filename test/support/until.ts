import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout } from 'node:timers/promises';
import type { Events } from '../../src/index.js';
import { atEnd } from './temp.js';

/** Waiting for what happens: an event of the library, or, where there is none, a condition. */

const WAIT_MS_MAX = 20_000;
const POLL_MS = 5;

/** Resolves once the condition holds; fails with `what` after a time in which anything happens that ever will. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${WAIT_MS_MAX} ms in vain for: ${what}`);
    await setTimeout(POLL_MS);
  }
}

/** The first event of that name for which `wanted` says yes, from this call on. */
export function nextEvent<K extends keyof Events>(
  name: K,
  wanted: (event: Events[K]) => boolean = () => true,
): Promise<Events[K]> {
  return new Promise((resolve, reject) => {
    const stop = onEvent(name, (event) => {
      if (!wanted(event)) return;
      clearTimeout(timer);
      stop();
      resolve(event);
    });
    const timer = globalThis.setTimeout(() => {
      stop();
      reject(new Error(`waited ${WAIT_MS_MAX} ms in vain for longhaul:${name}`));
    }, WAIT_MS_MAX);
    atEnd(() => clearTimeout(timer));
  });
}

/** Calls the listener with every event of that name until the test is over, or the returned function is called. */
export function onEvent<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): () => void {
  const onMessage = (message: unknown): void => listener(message as Events[K]);
  subscribe(`longhaul:${name}`, onMessage);
  const stop = (): void => void unsubscribe(`longhaul:${name}`, onMessage);
  atEnd(stop);
  return stop;
}

/** All events of that name, as they come. */
export function eventsOf<K extends keyof Events>(name: K): Events[K][] {
  const events: Events[K][] = [];
  onEvent(name, (event) => events.push(event));
  return events;
}
