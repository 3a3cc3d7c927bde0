import { expect, test } from 'vitest';
import { AbortedError } from '../../src/errors.js';
import { Admission, type AdmissionPeer } from '../../src/replication/admission.js';

const KIB = 1024;

interface Peer extends AdmissionPeer {
  isStreaming: boolean;
  handedOver: number;
}

const peer = (bytesPerMs: number | undefined, roundTripMs = 30): Peer => ({
  isStreaming: true,
  handedOver: 0,
  bytesPerMs,
  roundTripMs,
});

/** Lets records of 10 KiB in until one has to wait; gives how many entered. */
function fill(admission: Admission, from = 1): { entered: number; waiting: Promise<void> } {
  for (let sequence = from; ; sequence++) {
    const waiting = admission.admit(10 * KIB);
    if (waiting !== undefined) return { entered: sequence - from, waiting };
    admission.entered(sequence, 10 * KIB);
  }
}

test('bulk enters for some milliseconds of what the fastest peer takes', async () => {
  const fast = peer(10 * KIB);
  const slow = peer(KIB);
  const { entered, waiting } = fill(new Admission(() => [slow, fast]));
  // The one that is furthest counts; while both are level, the first of them: 8 ms of 1 KiB, and 16 KiB at least.
  expect(entered).toBe(1);
  fast.handedOver = 1;
  const admission = new Admission(() => [slow, fast]);
  expect(fill(admission, 2).entered).toBe(8);
  void waiting;
});

test('the next one enters when what was ahead of it is with the network, in the order of the calls', async () => {
  const only = peer(KIB);
  const admission = new Admission(() => [only]);
  const { waiting } = fill(admission);
  const order: number[] = [];
  const first = waiting.then(() => order.push(1));
  const second = admission.admit(1)?.then(() => order.push(2));
  admission.progress();
  expect(order).toEqual([]);
  only.handedOver = 1;
  admission.progress();
  await Promise.all([first, second]);
  expect(order).toEqual([1, 2]);
});

test('a record larger than all that may be ahead enters when nothing is', () => {
  const admission = new Admission(() => [peer(1)]);
  expect(admission.admit(16 * 1024 * KIB)).toBeUndefined();
});

test('without a session nothing waits, and what waits enters when the session ends', async () => {
  const only = peer(KIB);
  const admission = new Admission(() => [only]);
  const { waiting } = fill(admission);
  only.isStreaming = false;
  admission.progress();
  await waiting;
  expect(admission.admit(1024 * KIB)).toBeUndefined();
});

test('what did not enter after all, or is called off, holds up nobody', async () => {
  const only = peer(KIB);
  const admission = new Admission(() => [only]);
  expect(admission.admit(100 * KIB)).toBeUndefined();
  const calledOff = new AbortController();
  const one = admission.admit(10 * KIB, calledOff.signal);
  const other = admission.admit(10 * KIB);
  calledOff.abort();
  await expect(one).rejects.toThrow(AbortedError);
  await expect(admission.admit(1, calledOff.signal)).rejects.toThrow(AbortedError);
  admission.failed(100 * KIB);
  await other;
});
