/** One figure of a benchmark. */
export interface BenchRow {
  /** What was measured, e.g. `XXH64 of 64 KiB`. */
  name: string;
  /** Which property of it, e.g. `throughput`. */
  metric: string;
  value: number;
  unit: string;
  /** What it is compared with, measured in the same run. */
  rival?: string;
  /** Times better than the rival: above 1 is ahead, whichever way the unit points. */
  ratio?: number;
}

export interface BenchOptions {
  /** Asks for the smallest run that still goes through every line; its figures mean nothing. */
  tiny: boolean;
  /** Where to work in place of the benchmark's own choice of a directory. */
  dir?: string;
  /** Files to leave a picture of the figures in, as SVG, and a table of them, as Markdown; some benchmarks have none. */
  chart?: string;
  table?: string;
  /** Part of the names of the change sets that are wanted. */
  only?: string;
  /** The beginning of the names of the links that are wanted (default all), and how long each is measured. */
  link?: string;
  seconds?: number;
  /** Leaves out what it is compared with. */
  alone?: boolean;
  /** For what a reader of the figures has to know. */
  say: (line: string) => void;
}

export interface Bench {
  /** The word that selects it on the command line; `a` selects `a-b` and `a-c` as well. */
  name: string;
  /** One line for a reader who has not run it. */
  describe: string;
  run(o: BenchOptions): Promise<BenchRow[]>;
}
