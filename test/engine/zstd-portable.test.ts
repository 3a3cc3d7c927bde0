import { afterEach, describe, expect, test, vi } from 'vitest';
import { codeOf } from './zstd-data.js';

const bytes = Buffer.from('bytes');

describe('with the portable engine', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.resetModules();
  });

  test('there is no zstd, and asking for it says why', async () => {
    vi.stubEnv('LONGHAUL_ENGINE', 'portable');
    vi.resetModules();
    const { engine } = await import('../../src/engine/engine.js');
    const encoders = await import('../../src/engine/zstd-encoder.js');
    const decoders = await import('../../src/engine/zstd-decoder.js');
    const pieces = await import('../../src/engine/zstd-piece.js');
    expect(engine.codecs).toEqual(['none', 'lz4']);
    const calls = [
      encoders.ZstdEncoder.open(),
      decoders.ZstdDecoder.open(),
      pieces.compressPiece(bytes, bytes),
      pieces.decompressPiece(bytes, bytes, 10),
    ];
    for (const call of calls) {
      const failure = await call.catch((error) => error);
      expect(failure).toMatchObject({ code: 'CODEC_MISSING', codec: 'zstd', engine: 'portable', recoverable: false });
      expect(failure.message).toMatch(/native engine.*LONGHAUL_ENGINE is portable.*choose another codec/);
    }
    expect(await codeOf(encoders.ZstdEncoder.open({ level: 77 }))).toBe('INVALID_ARGUMENT');
  });
});
