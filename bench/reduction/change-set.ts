/** What happens to a directory, step by step. */
export interface ChangeSet {
  name: string;
  steps: Step[];
  /** Both ends are started anew before each step. */
  restarts?: true;
}

export interface Step {
  name: string;
  /** How often it happens; the figures are those of all times together (default 1). */
  times?: number;
  /** Brings the directory `dir` to the state after the step. */
  make(dir: string): Promise<void>;
  /** A file of records that are sent in place of the directory; asked for after `make`, which has brought `dir` there. */
  records?(dir: string): Promise<string>;
  /** What else the same change could be sent as, in bytes; asked for where zstd is installed. */
  limits?: Limit[];
}

export interface Limit {
  name: string;
  /** `scratch` is an empty directory to work in. */
  bytes(scratch: string): Promise<number>;
}

/** What a set needs while it is prepared. */
export interface Preparation {
  tiny: boolean;
  say(line: string): void;
  /** The directory `name`, filled by `make` unless it is still there from an earlier run. */
  prepared(name: string, make: (dir: string) => Promise<void>): Promise<string>;
  /** An empty directory that lasts as long as the benchmark. */
  scratch(name: string): Promise<string>;
}
