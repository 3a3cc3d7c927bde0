/** What the last byte of a batch tells the worker in pool-worker.ts. */
export const TELL = { work: 0, exit: 1, throw: 2, throwLater: 3 } as const;
export const EXIT_CODE = 3;
