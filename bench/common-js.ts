/**
 * The program in the form that ts-node's default accepts: CommonJS, which has no `import.meta` and no `await` outside a
 * function. Made from the syntax tree, so that it follows the program as it grows.
 */
import ts from "typescript";

interface Edit {
  start: number;
  end: number;
  text: string;
}

const hasAwait = (node: ts.Node): boolean =>
  ts.isAwaitExpression(node) ||
  (!ts.isFunctionLike(node) && !ts.isClassLike(node) && (ts.forEachChild(node, hasAwait) ?? false));

/**
 * Rewrites one file. If it awaits something outside its functions, all but its imports is moved into a function, and
 * nothing is exported: only the entry may do so.
 */
export function commonJs(file: string, text: string): string {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true);
  const edits: Edit[] = [];
  const replace = (node: ts.Node, by: string) =>
    edits.push({ start: node.getStart(source), end: node.getEnd(), text: by });

  const visit = (node: ts.Node): void => {
    if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) {
      replace(node, '({ url: require("node:url").pathToFileURL(__filename).href, dirname: __dirname })');
    }
    // `with { type: "json" }`
    if (ts.isImportAttributes(node)) replace(node, "");
    if (
      (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
      node.moduleSpecifier &&
      ts.isStringLiteral(node.moduleSpecifier) &&
      /^\.{1,2}\/.*\.ts$/.test(node.moduleSpecifier.text)
    ) {
      replace(node.moduleSpecifier, JSON.stringify(node.moduleSpecifier.text.replace(/\.ts$/, "")));
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [specifier] = node.arguments;
      if (specifier && ts.isStringLiteral(specifier))
        replace(specifier, JSON.stringify(specifier.text.replace(/\.ts$/, "")));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);

  if (source.statements.some(hasAwait)) {
    const [first] = source.statements.filter((statement) => !ts.isImportDeclaration(statement));
    for (const statement of source.statements) {
      const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
      for (const modifier of modifiers)
        if (modifier.kind === ts.SyntaxKind.ExportKeyword) replace(modifier, "");
    }
    const start = first?.getStart(source) ?? text.length;
    edits.push({ start, end: start, text: "void (async () => {\n" });
    edits.push({ start: text.length, end: text.length, text: "\n})();\n" });
  }

  let rewritten = text;
  for (const edit of edits.toSorted((one, other) => other.start - one.start))
    rewritten = rewritten.slice(0, edit.start) + edit.text + rewritten.slice(edit.end);
  return rewritten;
}
