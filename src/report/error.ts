/** A report that cannot be made or read; the message says which part and which rule. */
export class ReportError extends Error {
  override readonly name = 'ReportError' as const;
}
