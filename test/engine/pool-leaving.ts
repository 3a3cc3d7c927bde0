import { ChunkPool } from '../../src/engine/chunk-pool.js';

/** A program that leaves with threads: `pool-leaving.js <scenario>`. */

const [scenario] = process.argv.slice(2);
const pool = await ChunkPool.open({ key: new Uint8Array(32), threads: 2, batchBytes: 1024 * 1024 });
const batch = await pool.take();

if (scenario === 'under way') {
  pool.run(batch).catch(() => {});
  process.exit(7);
}
const { cuts } = await pool.run(batch);
console.log(cuts.at(-1) === batch.bytes.byteLength ? 'all done' : 'something is missing');
if (scenario === 'closed') await pool.close();
