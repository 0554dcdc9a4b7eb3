export interface Outlet<T> {
  readonly stream: ReadableStream<T>;
  readonly enqueue: (value: T) => void;
  readonly close: () => void;
  readonly error: (error: unknown) => void;
}

/** A stream to write to, whether or not anybody reads it still. Once that is closed or in error, writing does nothing. */
export function openOutlet<T>(): Outlet<T> {
  let reader: ReadableStreamDefaultController<T> | undefined;
  const stream = new ReadableStream<T>({
    start(controller) {
      reader = controller;
    },
    cancel() {
      reader = undefined;
    },
  });
  return {
    stream,
    enqueue: (value) => reader?.enqueue(value),
    close() {
      reader?.close();
      reader = undefined;
    },
    error(error) {
      reader?.error(error);
      reader = undefined;
    },
  };
}
