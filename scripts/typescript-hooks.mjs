// Lets a Node that reads no TypeScript run the source: for `node --import`, by way of module.register.
import {readFile} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';

import {transform} from '@swc/core';

/** Loads a TypeScript file as the JavaScript that it is without its types; all else as usual. */
export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return await next(url, context);
  const path = fileURLToPath(url);
  const {code} = await transform(await readFile(path, 'utf8'), {
    filename: path,
    sourceMaps: 'inline',
    jsc: {
      parser: {syntax: 'typescript'},
      target: 'es2023',
      experimental: {keepImportAttributes: true}
    }
  });
  return {format: 'module', source: code, shortCircuit: true};
}
