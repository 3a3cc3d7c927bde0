import { Lots } from '../kit/lots.js';

/** The log of a service as it grows: lines with times, ids and durations, no two alike, and a stack trace now and then. */

const METHODS = ['GET', 'GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'PATCH', 'DELETE'];
const ROUTES = [
  'orders',
  'orders/:/lines',
  'customers',
  'customers/:/addresses',
  'invoices',
  'carts/:/items',
  'search',
];
const AGENTS = ['web/4.18.2', 'web/4.18.3', 'ios/7.2 (iPhone15,3)', 'android/7.1.4 (Pixel 8)', 'batch/1.9'];
const STATUSES = [200, 200, 200, 200, 200, 201, 204, 304, 400, 401, 404, 409, 429, 500, 503];
const FUNCTIONS = ['handle', 'validate', 'load', 'reserve', 'commit', 'rollback', 'serialize', 'authorize', 'retry'];
const FILES = [
  'orders/service',
  'orders/repository',
  'carts/cart',
  'db/pool',
  'db/transaction',
  'http/router',
  'auth/token',
];
const ERRORS = ['Timeout: no answer after', 'Conflict: version has moved on by', 'Refused: pool is exhausted, waiting'];
const BEGIN_MS = Date.UTC(2026, 0, 5, 6, 0, 0);

export class LogLines {
  readonly #lots: Lots;
  #nowMs = BEGIN_MS;

  constructor(seed: number) {
    this.#lots = new Lots(seed);
  }

  /** The next lines, at least that many bytes of them. */
  next(bytes: number): string {
    const lines: string[] = [];
    for (let length = 0; length < bytes; ) {
      const line = this.#entry();
      lines.push(line);
      length += line.length;
    }
    return lines.join('');
  }

  #entry(): string {
    const lots = this.#lots;
    this.#nowMs += lots.below(40);
    const kind = lots.below(100);
    if (kind < 70) return this.#request();
    if (kind < 88) return this.#query();
    return kind < 99 ? this.#job() : this.#failure();
  }

  #request(): string {
    const lots = this.#lots;
    const path = lots.pick(ROUTES).replace(':', String(lots.between(10_000, 4_000_000)));
    const query = lots.chance(30) ? `?page=${lots.between(1, 90)}&limit=${lots.pick([20, 50, 100])}` : '';
    const client = `10.${lots.below(4)}.${lots.below(256)}.${lots.below(256)}`;
    const spent = `${lots.between(1, 900)}.${lots.below(1000)}ms`;
    return this.#line(
      'INFO ',
      'http',
      `${lots.pick(METHODS)} /api/v2/${path}${query} ${lots.pick(STATUSES)} ${lots.between(120, 90_000)}b ${spent} client=${client} user=${lots.between(1000, 80_000)} agent="${lots.pick(AGENTS)}"`,
    );
  }

  #query(): string {
    const lots = this.#lots;
    const table = lots.pick(['orders', 'order_lines', 'customers', 'stock', 'invoices']);
    return this.#line(
      'DEBUG',
      'db',
      `select ${table} rows=${lots.below(200)} time=${lots.below(50)}.${lots.below(1000)}ms conn=${lots.below(32)} plan=${lots.hex(8)}`,
    );
  }

  #job(): string {
    const lots = this.#lots;
    const job = lots.pick(['mail.receipt', 'stock.recount', 'invoice.render', 'export.daily']);
    return this.#line(
      'INFO ',
      'jobs',
      `{"job":"${job}","id":"${lots.hex(8)}-${lots.hex(4)}-${lots.hex(4)}","attempt":${lots.between(1, 3)},"queued":${lots.below(9000)},"took":${lots.below(4000)}}`,
    );
  }

  #failure(): string {
    const lots = this.#lots;
    const told = this.#line('ERROR', 'http', `${lots.pick(ERRORS)} ${lots.between(1, 30_000)}`);
    const frames = Array.from({ length: lots.between(4, 14) }, () => {
      const place = `${lots.pick(FILES)}.js:${lots.between(10, 480)}:${lots.between(3, 60)}`;
      return `    at ${lots.pick(FUNCTIONS)} (file:///srv/shop/dist/${place})\n`;
    });
    return told + frames.join('');
  }

  #line(level: string, part: string, text: string): string {
    return `${new Date(this.#nowMs).toISOString()} ${level} [${part}] req=${this.#lots.hex(16)} ${text}\n`;
  }
}
