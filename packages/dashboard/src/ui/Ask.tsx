import { type ReactNode, useState } from "react";
import { Dialog } from "./Dialog.tsx";

interface AskProps {
  /** What the button says, and the dialog that it opens. */
  readonly label: string;
  readonly title: string;
  /** Why it cannot be pressed: said where it stands. */
  readonly why?: string | undefined;
  readonly tone?: "bad" | "good";
  /** What exactly will happen. */
  readonly children: ReactNode;
  readonly error: Error | null;
  readonly busy: boolean;
  /** Whether it may be confirmed as it is filled in. */
  readonly ready?: boolean;
  readonly confirm: (done: () => void) => void;
}

/** A button that says first what it will do, and does it when that is confirmed. */
export function Ask({ label, title, why, tone, children, error, busy, ready = true, confirm }: AskProps) {
  const [open, setOpen] = useState(false);
  const close = () => setOpen(false);
  return (
    <>
      <button
        type="button"
        className={tone}
        title={why}
        aria-disabled={why !== undefined}
        onClick={() => why === undefined && setOpen(true)}
      >
        {label}
      </button>
      <Dialog open={open} close={close} title={title}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            confirm(close);
          }}
        >
          {children}
          {error ? (
            <p className="failed" role="alert">
              {error.message}
            </p>
          ) : null}
          <footer>
            <button type="button" onClick={close}>
              Leave it
            </button>
            <button type="submit" className={tone ?? "good"} disabled={busy || !ready}>
              {label}
            </button>
          </footer>
        </form>
      </Dialog>
    </>
  );
}
