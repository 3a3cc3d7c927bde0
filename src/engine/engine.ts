/** Which implementation of the byte-level work is in use: this release has the portable one alone. */
export const engine = { name: 'portable', codecs: ['none', 'lz4'] } as const;
