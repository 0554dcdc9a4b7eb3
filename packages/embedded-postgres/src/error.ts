/**
 * The one error of this package. Recognise it by `code`, also across copies of the package; the message says what
 * happened and what to do about it.
 */
export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError";
  readonly code = "NO_EMBEDDED_SERVER";
}
