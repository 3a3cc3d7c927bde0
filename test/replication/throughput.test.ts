import { expect, test } from 'vitest';
import { Throughput } from '../../src/replication/throughput.js';

/** 1,000 bytes every 10 ms, or as many as are given. */
function run(throughput: Throughput, fromMs: number, times: number, isBusy = true, bytes = 1000): void {
  for (let step = 0; step < times; step++) throughput.note(bytes, fromMs + 10 * step, isBusy);
}

test('is unknown until a busy stretch was long enough', () => {
  const throughput = new Throughput();
  run(throughput, 0, 100, false);
  expect(throughput.bytesPerMs).toBeUndefined();
  run(throughput, 2000, 5);
  expect(throughput.bytesPerMs).toBeUndefined();
  run(throughput, 2050, 2);
  expect(throughput.bytesPerMs).toBe(100);
});

test('is the most of the last seconds: pauses and slow stretches do not count, and are forgotten', () => {
  const throughput = new Throughput();
  run(throughput, 0, 20, true, 5000);
  run(throughput, 1000, 20, false);
  run(throughput, 1500, 40);
  expect(throughput.bytesPerMs).toBe(500);
  run(throughput, 2500, 400);
  expect(throughput.bytesPerMs).toBe(100);
});
