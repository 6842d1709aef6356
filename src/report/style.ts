/** How a terminal shows what matters. Without colours every function gives the text back. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly cyan: (text: string) => string;
}

/**
 * Colours for a terminal that wants them.
 * @see https://no-color.org
 */
export function styleFor(tty: boolean, env: NodeJS.ProcessEnv): Style {
  const colours = tty && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
  const wrap = (on: number, off: number) => (text: string) =>
    colours && text !== '' ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return {
    bold: wrap(1, 22),
    dim: wrap(2, 22),
    red: wrap(31, 39),
    green: wrap(32, 39),
    yellow: wrap(33, 39),
    cyan: wrap(36, 39)
  };
}
