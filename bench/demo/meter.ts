import type { EmulatedLink } from '../../test/sim/link.js';

/** Bytes that a link has carried both ways since the meter was made, and a line about them at a terminal. */

const REDRAW_MS = 200;
const MEGABYTE = 1e6;

export class Meter {
  readonly #link: EmulatedLink;
  readonly #before: number;
  readonly #begun = performance.now();

  constructor(link: EmulatedLink) {
    this.#link = link;
    this.#before = total(link);
  }

  get bytes(): number {
    return total(this.#link) - this.#before;
  }

  get seconds(): number {
    return (performance.now() - this.#begun) / 1000;
  }

  /** Redraws one line until the returned function is called; nothing where no one is looking. */
  draw(label: string, stream: NodeJS.WriteStream = process.stderr): () => void {
    if (!stream.isTTY) return () => {};
    const timer = setInterval(() => {
      const { bytes, seconds } = this;
      const sent = (bytes / MEGABYTE).toFixed(1);
      const pace = (bytes / MEGABYTE / seconds).toFixed(1);
      stream.write(`\r\x1b[2K${label}  ${sent} MB on the wire  ${pace} MB/s  ${seconds.toFixed(1)} s`);
    }, REDRAW_MS);
    return () => {
      clearInterval(timer);
      stream.write('\r\x1b[2K');
    };
  }
}

function total(link: EmulatedLink): number {
  return link.forwardBytes + link.backwardBytes;
}
