import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { BrowserRouter } from "react-router";
import { App } from "./App.tsx";
import { Problem } from "./api/client.ts";
import "./style/base.css";
import "./style/parts.css";
import "./style/forms.css";
import "./style/charts.css";
import "./style/diff.css";
import "./style/timeline.css";
import { applyTheme } from "./theme.ts";

applyTheme();

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // A refusal stays one; a server that is away may come back.
      retry: (failures, error) =>
        failures < 3 && !(error instanceof Problem && error.status >= 400 && error.status < 500),
      placeholderData: (before: unknown) => before,
    },
  },
});

const root = document.getElementById("root");
if (root)
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        {/* What is typed into a search stands in the address: were that a transition, letters would be lost. */}
        <BrowserRouter useTransitions={false}>
          <App />
        </BrowserRouter>
      </QueryClientProvider>
    </StrictMode>,
  );
