import ts from 'typescript';

/** A warning or a notice as the source writes it: what differs is `…`. */
export interface Spoken {
  readonly path: string;
  readonly message: string;
}

/** Calls that tell the user something, and which of their arguments is the message. */
const speakers: Readonly<Record<string, number>> = {
  warning: 0,
  notice: 0,
  warnOnce: 0,
  tell: 2
};

/**
 * Every warning and notice of a file. A message that is put together elsewhere is told as the words
 * that stand in the call, between < and >.
 */
export function spokenIn(path: string, code: string): readonly Spoken[] {
  const file = ts.createSourceFile(path, code, ts.ScriptTarget.Latest, true);
  const constants = new Map<string, ts.Expression>();
  const found: Spoken[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer)
      constants.set(node.name.text, node.initializer);
    if (ts.isCallExpression(node)) {
      const {expression} = node;
      const name = ts.isPropertyAccessExpression(expression)
        ? expression.name.text
        : ts.isIdentifier(expression)
          ? expression.text
          : '';
      const message = node.arguments[speakers[name] ?? -1];
      if (message !== undefined) found.push({path, message: wordsOf(message)});
    }
    ts.forEachChild(node, visit);
  };
  const wordsOf = (node: ts.Expression): string => {
    if (ts.isStringLiteralLike(node)) return node.text;
    if (ts.isTemplateExpression(node))
      return node.head.text + node.templateSpans.map(({literal}) => `…${literal.text}`).join('');
    const constant = ts.isIdentifier(node) ? constants.get(node.text) : undefined;
    if (constant !== undefined && ts.isTemplateExpression(constant)) return wordsOf(constant);
    return `<${node.getText()}>`;
  };
  visit(file);
  return found;
}
