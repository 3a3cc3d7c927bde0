import { writeFileSync } from 'node:fs';
import { gearOf } from '../../src/engine/gear.js';
import { checked, type Kernels } from '../../src/engine/kernels.js';
import { loadEngine } from '../../src/engine/load.js';
import { portable } from '../../src/engine/portable.js';
import { MIB } from '../../src/options.js';
import type { Bench, BenchRow } from '../bench.js';
import { median } from '../kit/timing.js';
import { Workspace } from '../kit/workspace.js';
import { Bare, compileBare, RIVAL } from './bare.js';
import { databasePages, packageFiles, randomBytes } from './data.js';
import { KEY, passesOf } from './passes.js';
import { measureTwoBare, measureWorkers } from './workers.js';

/** How the rows are called for each kind of data; files are meant where nothing is said. */
const DATA: readonly [suffix: string, make: (bytes: number) => Buffer][] = [
  ['', packageFiles],
  [', random', randomBytes],
  [', pages', databasePages],
];

type Engine = [name: 'native' | 'portable', kernels: Kernels];

/** The kernels on one core through the engine's checked interface, beside the same C++ called from a program in C++. */
export const engineBench: Bench = {
  name: 'engine',
  describe: 'chunks, digests, checksums and differences on one core, both engines, and on two, beside bare C',
  async run({ tiny, say }) {
    const workspace = await Workspace.open('bench-engine');
    try {
      const compiled = compileBare(workspace.dir);
      if ('missing' in compiled) say(`${RIVAL} is left out: ${compiled.missing}`);
      const [dataPath, settingsPath] = [workspace.at('data'), workspace.at('settings')];
      const gear = gearOf({ key: KEY });
      writeFileSync(settingsPath, Buffer.concat([new Uint8Array(gear.buffer), KEY]));
      const engines = enginesHere(say);
      const rows: BenchRow[] = [];
      for (const [suffix, make] of DATA) {
        const data = make(tiny ? MIB : 16 * MIB);
        writeFileSync(dataPath, data);
        const newBare = (program: string) => workspace.own(new Bare(program, dataPath, settingsPath));
        const bare = 'program' in compiled ? newBare(compiled.program) : undefined;
        const rounds = tiny ? 1 : 25;
        if ('program' in compiled && bare !== undefined) {
          rows.push(await measureTwoBare(bare, newBare(compiled.program), data, suffix, rounds));
        }
        for (const engine of engines) {
          rows.push(...(await measure(engine, data, gear, bare, suffix, rounds)));
          rows.push(await measureWorkers(engine[0], data, bare, suffix, rounds));
        }
      }
      return rows;
    } finally {
      await workspace.close();
    }
  },
};

function enginesHere(say: (line: string) => void): Engine[] {
  const loaded = loadEngine(undefined);
  const found: Engine[] = [['portable', checked(portable)]];
  if (loaded.name === 'native') found.unshift(['native', checked(loaded.kernels)]);
  else say(`the native engine is left out: ${loaded.reason}`);
  return found;
}

/** Passes take turns with those of the rival, so that whatever else the machine does strikes both. */
async function measure(
  [engine, kernels]: Engine,
  data: Buffer,
  gear: Uint32Array,
  bare: Bare | undefined,
  suffix: string,
  rounds: number,
): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const { kernel, bytes, run } of passesOf(kernels, data, gear)) {
    const ours: number[] = [];
    const ratios: number[] = [];
    run();
    await bare?.secondsOf(kernel);
    for (let round = 0; round < rounds; round++) {
      const begun = performance.now();
      run();
      const seconds = (performance.now() - begun) / 1000;
      ours.push(seconds);
      if (bare !== undefined) ratios.push((await bare.secondsOf(kernel)) / seconds);
    }
    const workers = kernel === 'chunk+digest' ? ' 1 worker' : '';
    rows.push({
      name: `${kernel} ${engine}${workers}${suffix}`,
      metric: 'throughput',
      value: bytes / 1e6 / median(ours),
      unit: 'MB/s',
      ...(bare !== undefined && { rival: RIVAL, ratio: median(ratios) }),
    });
  }
  return rows;
}
