import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';

/** A step of a workflow, as far as the tests look at it. */
export interface Step {
  readonly id?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly name?: string;
  readonly if?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** A job of a workflow; one that calls another workflow has no steps. */
export interface Job {
  readonly name?: string;
  readonly if?: string;
  readonly needs?: string | readonly string[];
  readonly strategy?: unknown;
  readonly outputs?: Readonly<Record<string, string>>;
  readonly permissions?: unknown;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly steps?: readonly Step[];
  readonly environment?: unknown;
  readonly 'timeout-minutes'?: unknown;
  readonly 'continue-on-error'?: unknown;
}

/** A workflow, parsed. */
export interface Workflow {
  readonly permissions?: unknown;
  readonly on: Readonly<Record<string, unknown>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

/** What a workflow takes that others call. */
export interface Called {
  readonly inputs: Readonly<Record<string, {required?: boolean; default?: unknown}>>;
  readonly secrets: Readonly<Record<string, {required?: boolean}>>;
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** A document, by its path from the root of the repository. */
export interface Document {
  readonly path: string;
  readonly content: string;
}

/** A fenced block of a document, named by where it stands. */
export interface Block {
  readonly name: string;
  readonly path: string;
  readonly body: string;
}

/** The text of a file, by its path from the root of the repository. */
export const text = (path: string): Promise<string> => readFile(path, 'utf8');

const markdownIn = async (folder: string) =>
  (await readdir(folder)).filter(name => name.endsWith('.md')).map(name => join(folder, name));

/** Every document that a reader may meet: at the root, in docs/ and in .github/. */
export async function readDocuments(): Promise<readonly Document[]> {
  const folders = await Promise.all(['.', 'docs', '.github'].map(markdownIn));
  return await Promise.all(folders.flat().map(async path => ({path, content: await text(path)})));
}

/** The source, file by file, by its path below src/. */
export async function readSources(): Promise<readonly {path: string; code: string}[]> {
  const names = await readdir('src', {recursive: true});
  return await Promise.all(
    names
      .filter(name => name.endsWith('.ts'))
      .map(async path => ({path, code: await text(join('src', path))}))
  );
}

/** The fenced blocks of a language, and where they stand. */
export function blocksIn(documents: readonly Document[], language: string): readonly Block[] {
  return documents.flatMap(({path, content}) =>
    [...content.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(
      ([, body = ''], i) => ({name: `${path} ${language} ${i + 1}`, path, body})
    )
  );
}

/** A step by itself stands in the smallest workflow there is. */
export function whole(body: string): string {
  const job = ['on: push', 'jobs:', '  job:', '    runs-on: ubuntu-latest', '    steps:', ''].join(
    '\n'
  );
  return body.startsWith('- ') ? job + body.replace(/^(?=.)/gm, '      ') : body;
}

/** The steps of all jobs, in their order. */
export function stepsOf({jobs}: Workflow): readonly Step[] {
  return Object.values(jobs).flatMap(({steps = []}) => steps);
}

/** A document without its fenced blocks. */
export function proseOf(content: string): string {
  return content.replace(/^```.*?^```/gms, '');
}

/** GitHub's anchor of a heading: what is no letter, digit, blank, `-` or `_` goes, and blanks are dashes. */
function anchorOf(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}

/** All that a link may end in: the anchors of headings, and those that are written out. */
export function anchorsIn(content: string): readonly string[] {
  const prose = proseOf(content);
  return [
    ...[...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => anchorOf(heading)),
    ...[...prose.matchAll(/<a id="([^"]+)"><\/a>/g)].map(([, id = '']) => id)
  ];
}
