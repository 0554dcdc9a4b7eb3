import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { databaseContract } from "@holdfast/core/testing";
import { startEmbeddedPostgres } from "@holdfast/embedded-postgres";

databaseContract("the embedded server", {
  async database() {
    const folder = await mkdtemp(path.join(os.tmpdir(), "embedded-postgres-test-"));
    const server = await startEmbeddedPostgres({ folder, durable: false });
    const drop = async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    };
    return { url: server.url, drop };
  },
});
