import eslint from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const noDefaultExport = {
  selector: 'ExportDefaultDeclaration',
  message: 'Export by name: one name for one thing everywhere.',
};

export default defineConfig(
  globalIgnores(['**/node_modules/', 'dist/', 'coverage/', '.spike/', 'test/fixtures/']),
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'no-restricted-syntax': ['error', noDefaultExport],
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      // A default that throws is not the same as having thought of every case; naming all cases is.
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // Numbers in messages read the same with or without String().
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `() => callback()` is the usual way to write a handler whose result nobody wants.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // An interface may ask for a promise of something that one implementation knows at once.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    // The arrows of docs/architecture.md: stages know contracts only; the command line and the demo put the parts together.
    files: ['src/**/*.ts'],
    ignores: ['src/cli/**', 'src/compose/**', 'src/demo/**', 'src/index.ts', 'src/vitest/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: ['pg', 'mysql2', 'libpg-query'].map((name) => ({
            name,
            allowTypeImports: false,
            message: 'Stages never use a driver: go through the contracts in src/adapter.',
          })),
          patterns: [
            {
              regex: '(^|/)adapters(/|$)',
              message: 'Stages never import an adapter: go through the contracts in src/adapter.',
            },
            {
              regex: '(^|/)(cli|demo)/',
              message: 'The command line depends on the stages, never the other way round.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['src/**/*.ts', 'adapters/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        noDefaultExport,
        {
          selector:
            "ImportDeclaration[importKind!='type'][source.value=/^(pg|mysql2|libpg-query|smol-toml|globby|pino|diff)$/]",
          message: 'Load heavy packages with await import() in the function that needs them: start-up stays lean.',
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // Harness and benchmarks talk to the developer.
      'no-console': 'off',
      'no-restricted-syntax': [
        'error',
        noDefaultExport,
        {
          selector: 'MemberExpression[object.name=/^(test|it|describe)$/][property.name=/^(only|skip|todo|fails)$/]',
          message: 'A test runs or it is deleted.',
        },
        {
          selector: 'MemberExpression[object.name="vi"][property.name=/^(mock|doMock)$/]',
          message: 'No mocks: use the real thing.',
        },
      ],
    },
  },
  {
    // Tools that load these files want a default export.
    files: ['*.config.{js,ts}', 'test/harness/global-setup.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly', Buffer: 'readonly' } },
  },
);
