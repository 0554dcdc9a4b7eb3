import type { Api } from "@holdfast/server";
import { hc } from "hono/client";

/** The control API of the server that this page comes from; the cookie says who asks. */
export const client = hc<Api>(window.location.origin).v1;

/** A refusal, as the server words it: problem+json. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** What the server answered, where it did not refuse. Throws a Problem. */
export async function answered<R extends { readonly ok: boolean; readonly status: number }>(
  asked: Promise<R>,
): Promise<Extract<R, { readonly ok: true }>> {
  const response = await asked.catch(() => {
    throw new Problem(
      0,
      "UNREACHABLE",
      "The server cannot be reached. It is asked again as soon as it can be.",
    );
  });
  if (response.ok) return response as Extract<R, { readonly ok: true }>; // just looked at
  throw await problemIn(response as unknown as Response); // Hono's client answers with the Response of fetch
}

async function problemIn(response: Response): Promise<Problem> {
  const { status, statusText } = response;
  const said: unknown = await response.json().catch(() => undefined);
  const { code, detail } = (said ?? {}) as { readonly code?: string; readonly detail?: string };
  return new Problem(
    status,
    code ?? `HTTP_${status}`,
    detail ?? `The server answered ${status} ${statusText}`,
  );
}
