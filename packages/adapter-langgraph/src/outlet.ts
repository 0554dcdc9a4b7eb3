/** What is written at one end is read at the other, whether or not anybody reads it. */
export class Outlet<T> implements AsyncIterable<T> {
  readonly #waiting: T[] = [];
  #ended: { error?: unknown } | undefined;
  #changed = Promise.withResolvers<void>();

  push(value: T): void {
    this.#waiting.push(value);
    this.#announce();
  }

  end(): void {
    this.#ended ??= {};
    this.#announce();
  }

  fail(error: unknown): void {
    this.#ended ??= { error };
    this.#announce();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      while (this.#waiting.length > 0) yield this.#waiting.shift() as T;
      if (this.#ended && "error" in this.#ended) throw this.#ended.error;
      if (this.#ended) return;
      await this.#changed.promise;
    }
  }

  #announce(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
