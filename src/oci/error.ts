/** Text that breaks a rule of the specification; the message says which text and which rule. */
export class OciError extends Error {
  override readonly name = 'OciError' as const;
}
