import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The payment provider: it lives on when a worker is killed, and knows a repeat by its idempotency key. */
export function payments(folder: string) {
  mkdirSync(folder, { recursive: true });
  return {
    refund(key: string, refund: { orderId: string; cents: number }): "paid" | "paid before" {
      const file = join(folder, key);
      if (existsSync(file)) return "paid before";
      writeFileSync(file, JSON.stringify(refund));
      return "paid";
    },
    paid: (): string[] =>
      readdirSync(folder)
        .map((file) => readFileSync(join(folder, file), "utf8"))
        .sort(),
  };
}
