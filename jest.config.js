/** @type {import('jest').Config} */
export default {
  testMatch: ['<rootDir>/__tests__/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  // Import attributes are kept: without them, importing JSON is an error soon.
  transform: {'\\.ts$': ['@swc/jest', {jsc: {experimental: {keepImportAttributes: true}}}]},
  injectGlobals: false,
  restoreMocks: true,
  testTimeout: 60_000,
  // Most tests wait for servers of their own more than they compute.
  maxWorkers: 3,
  collectCoverageFrom: ['src/**/*.ts', '!src/index.ts', '!src/cli.ts']
};
