import { expect } from 'vitest';

// Bytes are compared at once: key by key, as other objects are, a segment takes half a second.
expect.addEqualityTesters([
  (a: unknown, b: unknown): boolean | undefined => {
    if (!(a instanceof Uint8Array && b instanceof Uint8Array)) return undefined;
    if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return undefined;
    return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(b);
  },
]);
