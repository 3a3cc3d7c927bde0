/** A place in a queue; whoever holds it can leave from the middle. */
export interface Place<T> {
  readonly value: T;
  before: Place<T> | undefined;
  after: Place<T> | undefined;
  queue: LinkedQueue<T> | undefined;
}

/** First in, first out, with everything at a cost that does not depend on how many wait. */
export class LinkedQueue<T> {
  #first: Place<T> | undefined;
  #last: Place<T> | undefined;
  #length = 0;

  get first(): T | undefined {
    return this.#first?.value;
  }

  get length(): number {
    return this.#length;
  }

  push(value: T): Place<T> {
    const place: Place<T> = { value, before: this.#last, after: undefined, queue: this };
    if (this.#last === undefined) this.#first = place;
    else this.#last.after = place;
    this.#last = place;
    this.#length++;
    return place;
  }

  shift(): T | undefined {
    const first = this.#first;
    if (first !== undefined) this.remove(first);
    return first?.value;
  }

  /** False when the place was given up before. */
  remove(place: Place<T>): boolean {
    if (place.queue !== this) return false;
    if (place.before === undefined) this.#first = place.after;
    else place.before.after = place.after;
    if (place.after === undefined) this.#last = place.before;
    else place.after.before = place.before;
    place.queue = undefined;
    this.#length--;
    return true;
  }
}
