// A process that opens a server: see `opener` in process.ts.
const { options, leaves } = JSON.parse(process.argv[2] ?? "{}");
const source = process.env.HOLDFAST_EMBEDDED_POSTGRES ?? new URL("../src/index.ts", import.meta.url).href;
const { startEmbeddedPostgres } = (await import(source)) as typeof import("../src/index.ts");
try {
  console.log(JSON.stringify(await startEmbeddedPostgres(options)));
} catch (error) {
  const { name, code, message } = error as Error & { code?: string };
  console.log(JSON.stringify({ error: { name, code, message } }));
}
if (!leaves) setInterval(() => {}, 1000);
