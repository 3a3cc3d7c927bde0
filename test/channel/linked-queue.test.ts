import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LinkedQueue, type Place } from '../../src/channel/linked-queue.js';

const step = fc.oneof(
  fc.constant({ kind: 'push' as const }),
  fc.constant({ kind: 'shift' as const }),
  fc.record({ kind: fc.constant('remove' as const), which: fc.nat(30) }),
);

test('does what an array does, whatever leaves from the middle', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new LinkedQueue<number>();
      const places: Place<number>[] = [];
      let model: number[] = [];
      for (const one of steps) {
        if (one.kind === 'push') {
          model.push(places.length);
          places.push(queue.push(places.length));
        } else if (one.kind === 'shift') expect(queue.shift()).toBe(model.shift());
        else if (one.which < places.length) {
          expect(queue.remove(places[one.which] as Place<number>)).toBe(model.includes(one.which));
          model = model.filter((value) => value !== one.which);
        }
        expect([queue.first, queue.length]).toEqual([model[0], model.length]);
      }
      while (queue.length > 0) expect(queue.shift()).toBe(model.shift());
    }),
  );
});
