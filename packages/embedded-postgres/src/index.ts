export { EmbeddedPostgresError } from "./error.ts";
export { startEmbeddedPostgres, type EmbeddedPostgres } from "./start.ts";
