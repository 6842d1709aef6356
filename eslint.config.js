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
  registry: ['oci/', 'log.ts', 'deadline.ts', 'on-abort.ts', 'process.ts'],
  release: ['oci/', 'log.ts'],
  mirror: ['registry/', 'oci/', 'log.ts', 'deadline.ts'],
  docker: ['registry/', 'oci/', 'log.ts', 'deadline.ts', 'process.ts'],
  report: ['mirror/', 'release/', 'oci/', 'log.ts'],
  inputs: ['release/', 'oci/', 'log.ts'],
  demo: ['oci/']
};

/** Rooms that speak to the runner themselves; the others take a log. */
const speakers = ['report'];

const walls = Object.entries(rooms).map(([room, allowed]) => ({
  files: [`src/${room}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            regex: `^\\.\\./(?!${allowed.map(name => name.replace('.', '\\.')).join('|') || '$'})`,
            message: `${room} may only look into ${allowed.join(', ') || 'itself'}.`
          },
          ...(speakers.includes(room)
            ? []
            : [
                {
                  regex: '^@actions/core$',
                  message: `${room} takes a log, it does not speak to the runner.`
                }
              ])
        ]
      }
    ]
  }
}));

export default defineConfig(
  {ignores: ['dist', 'coverage']},
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [ts.configs.strictTypeChecked, ts.configs.stylisticTypeChecked],
    languageOptions: {parserOptions: {projectService: true}},
    rules: {
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
