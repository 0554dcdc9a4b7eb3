import type { ReactNode } from "react";

export const Loading = ({ what }: { readonly what: string }) => (
  <p className="state" role="status">
    Loading {what} …
  </p>
);

export const Empty = ({ title, children }: { readonly title: string; readonly children?: ReactNode }) => (
  <div className="state">
    <h2>{title}</h2>
    <p>{children}</p>
  </div>
);

export const Failed = ({ error, retry }: { readonly error: Error; readonly retry?: () => unknown }) => (
  <div className="failed" role="alert">
    <p>{error.message}</p>
    {retry ? (
      <button type="button" onClick={() => void retry()}>
        Try again
      </button>
    ) : null}
  </div>
);
