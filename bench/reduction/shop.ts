import { Lots } from '../kit/lots.js';
import type { Sqlite } from '../kit/sqlite.js';

/** A shop's database: filled, and then worked on. The same seed makes the same statements in the same order. */

const FIRST = [
  'Anna',
  'Ben',
  'Carla',
  'David',
  'Elif',
  'Farid',
  'Greta',
  'Hugo',
  'Ines',
  'Jonas',
  'Kim',
  'Lena',
  'Marco',
];
const LAST = [
  'Albers',
  'Brandt',
  'Costa',
  'Dorn',
  'Eriksson',
  'Fischer',
  'Gruber',
  'Horvat',
  'Ivanova',
  'Jansen',
  'Keller',
];
const STREETS = [
  'High Street',
  'Station Road',
  'Mill Lane',
  'Church Street',
  'Park Avenue',
  'Garden Way',
  'River Walk',
];
const CITIES = ['Antwerp', 'Bremen', 'Cork', 'Dresden', 'Esbjerg', 'Fulda', 'Ghent', 'Haarlem', 'Innsbruck', 'Jena'];
const WORDS =
  'please leave at the door call before delivery gift wrap no plastic fragile second floor ring twice'.split(' ');
const STATES = ['open', 'paid', 'packed', 'shipped', 'returned'];
const BEGIN_SECONDS = 1_767_600_000;
const LINES_MAX = 5;
/** Rows that a range update takes at most. */
const RANGE_ROWS = 150;

const TABLES = `
  CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, email TEXT, street TEXT, city TEXT, balance INTEGER, seen INTEGER);
  CREATE UNIQUE INDEX customer_email ON customer (email);
  CREATE TABLE product (sku TEXT PRIMARY KEY, title TEXT, price INTEGER, stock INTEGER) WITHOUT ROWID;
  CREATE TABLE purchase (id INTEGER PRIMARY KEY, customer INTEGER, placed INTEGER, state TEXT, total INTEGER, note TEXT);
  CREATE INDEX purchase_customer ON purchase (customer);
  CREATE INDEX purchase_placed ON purchase (placed, state);
  CREATE TABLE line (purchase INTEGER, place INTEGER, sku TEXT, quantity INTEGER, price INTEGER);
  CREATE INDEX line_purchase ON line (purchase);
`;

export interface ShopSize {
  customers: number;
  products: number;
  purchases: number;
}

export class Shop {
  readonly #run: (sql: string, ...values: (number | string)[]) => void;
  readonly #lots: Lots;
  readonly #size: ShopSize;
  #purchases = 0;
  #nowSeconds = BEGIN_SECONDS;

  constructor(database: Sqlite, seed: number, size: ShopSize) {
    const prepared = new Map<string, ReturnType<Sqlite['prepare']>>();
    this.#run = (sql, ...values) => {
      const statement = prepared.get(sql) ?? database.prepare(sql);
      prepared.set(sql, statement);
      statement.run(...values);
    };
    this.#lots = new Lots(seed);
    this.#size = size;
    database.exec(TABLES);
  }

  /** Call it within a transaction. */
  fill(): void {
    const { customers, products, purchases } = this.#size;
    for (let i = 0; i < products; i++) this.#addProduct(i);
    for (let i = 0; i < customers; i++) this.#addCustomer(i);
    for (let i = 0; i < purchases; i++) this.#buy();
  }

  /** One transaction's worth of work. */
  work(): void {
    const kind = this.#lots.below(100);
    if (kind < 55) this.#buy();
    else if (kind < 75) this.#advance();
    else if (kind < 88) this.#see();
    else if (kind < 96) this.#remove();
    else this.#sweep();
  }

  #addProduct(i: number): void {
    const lots = this.#lots;
    const title = `${lots.pick(WORDS)} ${lots.pick(WORDS)} ${lots.hex(6)}`;
    this.#run('INSERT INTO product VALUES (?, ?, ?, ?)', sku(i), title, lots.between(99, 99_999), lots.below(5000));
  }

  #addCustomer(i: number): void {
    const lots = this.#lots;
    const [first, last] = [lots.pick(FIRST), lots.pick(LAST)];
    const email = `${first}.${last}.${lots.hex(5)}${i}@mail.example`.toLowerCase();
    const street = `${lots.pick(STREETS)} ${lots.between(1, 240)}`;
    const values = [i, `${first} ${last}`, email, street, lots.pick(CITIES), 0, this.#nowSeconds];
    this.#run('INSERT INTO customer VALUES (?, ?, ?, ?, ?, ?, ?)', ...values);
  }

  /** An order with its lines, taken from the stock and put on the customer's account. */
  #buy(): void {
    const lots = this.#lots;
    this.#nowSeconds += lots.below(9);
    const id = this.#purchases++;
    let total = 0;
    for (let place = lots.between(1, LINES_MAX); place > 0; place--) {
      const [bought, quantity, price] = [
        sku(lots.recent(this.#size.products)),
        lots.between(1, 9),
        lots.between(99, 9999),
      ];
      this.#run('INSERT INTO line VALUES (?, ?, ?, ?, ?)', id, place, bought, quantity, price);
      this.#run('UPDATE product SET stock = stock - ? WHERE sku = ?', quantity, bought);
      total += quantity * price;
    }
    const customer = lots.recent(this.#size.customers);
    this.#run('UPDATE customer SET balance = balance + ? WHERE id = ?', total, customer);
    const values = [id, customer, this.#nowSeconds, 'open', total, this.#note()];
    this.#run('INSERT INTO purchase VALUES (?, ?, ?, ?, ?, ?)', ...values);
  }

  #advance(): void {
    for (let count = this.#lots.between(1, 4); count > 0; count--) {
      const [state, id] = [this.#lots.pick(STATES), this.#lots.recent(this.#purchases)];
      this.#run('UPDATE purchase SET state = ? WHERE id = ?', state, id);
    }
  }

  #see(): void {
    this.#run('UPDATE customer SET seen = ? WHERE id = ?', this.#nowSeconds, this.#lots.below(this.#size.customers));
  }

  #remove(): void {
    const id = this.#lots.below(this.#purchases);
    this.#run('DELETE FROM line WHERE purchase = ?', id);
    this.#run('DELETE FROM purchase WHERE id = ?', id);
  }

  #sweep(): void {
    const from = this.#lots.recent(this.#purchases);
    this.#run(
      "UPDATE purchase SET state = 'shipped' WHERE id BETWEEN ? AND ? AND state = 'packed'",
      from,
      from + this.#lots.between(10, RANGE_ROWS),
    );
  }

  #note(): string {
    const lots = this.#lots;
    return Array.from({ length: lots.between(0, 14) }, () => lots.pick(WORDS)).join(' ');
  }
}

function sku(i: number): string {
  return `SKU-${String(i * 7919).padStart(9, '0')}`;
}
