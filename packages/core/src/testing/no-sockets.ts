import { Socket } from "node:net";

/** Does the work while no socket of this process may connect, and says how often one tried. */
export async function withoutSockets<T>(work: () => Promise<T>): Promise<{ value: T; tried: number }> {
  const connect = Object.getOwnPropertyDescriptor(Socket.prototype, "connect") as PropertyDescriptor;
  let tried = 0;
  Socket.prototype.connect = function refuse(): never {
    tried++;
    throw new Error("no socket may connect here");
  };
  try {
    return { value: await work(), tried };
  } finally {
    Object.defineProperty(Socket.prototype, "connect", connect);
  }
}
