import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Built into the server's package, which serves it: see packages/server/src/dashboard.ts.
export default defineConfig({
  plugins: [react()],
  resolve: { conditions: ["@holdfast/source", "module", "browser", "development|production"] },
  build: {
    outDir: "../server/dist/dashboard",
    emptyOutDir: true,
    // Without inline data: the server's content security policy lets nothing but its own files in.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/v1": "http://127.0.0.1:7420" } },
});
