import js from '@eslint/js';
import prettier from 'eslint-config-prettier/flat';
import jest from 'eslint-plugin-jest';
import {defineConfig} from 'eslint/config';
import ts from 'typescript-eslint';

/**
 * The walls of the house: what each room may import beside its own files and packages. Data goes
 * down one floor at a time, and nothing climbs back.
 */
const rooms = {
  oci: [],
  registry: ['oci/', 'log.ts', 'deadline.ts', 'on-abort.ts', 'process.ts', 'user-pass.ts'],
  release: ['oci/', 'log.ts'],
  mirror: ['registry/', 'oci/', 'log.ts', 'deadline.ts', 'on-abort.ts'],
  docker: [
    ...['registry/', 'oci/', 'log.ts'],
    ...['deadline.ts', 'on-abort.ts', 'process.ts', 'user-pass.ts']
  ],
  report: ['mirror/', 'release/', 'oci/', 'log.ts'],
  inputs: ['release/', 'oci/', 'log.ts', 'user-pass.ts'],
  demo: ['oci/'],
  run: [
    ...['inputs.ts', 'release/', 'mirror/', 'docker/', 'report/', 'registry/', 'oci/'],
    ...['log.ts', 'deadline.ts']
  ],
  cli: [
    ...['main.ts', 'run/', 'inputs.ts', 'inputs/', 'release/', 'report/', 'demo/', 'oci/'],
    ...['log.ts', 'deadline.ts', '../package.json']
  ]
};

/** The same for the files that belong to no room; those that are not named import none of ours. */
const doors = {
  'index.ts': ['main.ts', 'post.ts', 'run/', 'docker/', 'inputs.ts', 'inputs/', 'report/'],
  'cli.ts': ['main.ts', 'cli/', 'run/', 'inputs.ts', 'inputs/', 'report/', 'log.ts'],
  'main.ts': ['inputs.ts', 'run/', 'release/', 'mirror/', 'docker/', 'report/'],
  'post.ts': ['run/', 'docker/', 'oci/', 'log.ts', 'deadline.ts'],
  'inputs.ts': ['inputs/', 'release/', 'log.ts'],
  'process.ts': ['oci/', 'windows.ts'],
  '!(index|cli|main|post|inputs|process).ts': []
};

/** Who speaks to the runner; the others take a log. */
const speakers = ['report', 'index.ts', 'main.ts', 'post.ts'];

function wall(name, files, ours, allowed) {
  const names = allowed.map(one => one.replaceAll('.', '\\.'));
  return {
    files: [files],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: `^${ours}(?!${names.join('|') || '$'})`,
              message: `${name} may only look into ${allowed.join(', ') || 'itself'}.`
            },
            ...(speakers.includes(name)
              ? []
              : [
                  {
                    regex: '^@actions/core$',
                    message: `${name} takes a log, it does not speak to the runner.`
                  }
                ])
          ]
        }
      ]
    }
  };
}

const walls = [
  ...Object.entries(rooms).map(([room, allowed]) =>
    wall(room, `src/${room}/**/*.ts`, '\\.\\./', allowed)
  ),
  ...Object.entries(doors).map(([file, allowed]) => wall(file, `src/${file}`, '\\./', allowed))
];

export default defineConfig(
  {ignores: ['dist', 'coverage']},
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [ts.configs.strictTypeChecked, ts.configs.stylisticTypeChecked],
    languageOptions: {parserOptions: {projectService: true}},
    rules: {
      'no-duplicate-imports': ['error', {allowSeparateTypeImports: true}],
      '@typescript-eslint/restrict-template-expressions': ['error', {allowNumber: true}],
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ImportExpression',
          message: "A dynamic import splits ncc's bundle and loses licences."
        }
      ]
    }
  },
  {
    files: ['**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        fetch: 'readonly',
        URL: 'readonly',
        Buffer: 'readonly',
        AbortSignal: 'readonly',
        setTimeout: 'readonly'
      }
    }
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        {
          object: 'AbortSignal',
          property: 'timeout',
          message: 'Node 20 loses it where it is joined with another; use deadline.ts.'
        }
      ]
    }
  },
  {
    files: ['__tests__/**/*.ts'],
    extends: [jest.configs['flat/recommended']],
    rules: {'no-restricted-syntax': 'off'}
  },
  ...walls,
  prettier
);
