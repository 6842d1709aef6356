/** Text that breaks a rule of the specification; the message says which text and which rule. */
export class OciError extends Error {
  override readonly name = 'OciError' as const;
  /** The rule alone, where it is told of the text under another name as well. */
  readonly rule: string;

  constructor(message: string, rule = message) {
    super(message);
    this.rule = rule;
  }
}
