import tseslint from 'typescript-eslint'

const onlyIn = (folder, what) => `${what} belongs to ${folder}: call it through there.`

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'coverage/', 'runs/'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['eslint.config.js', '.dependency-cruiser.cjs'] }, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // Indexing typed arrays inside checked bounds is the bread of numeric code.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // CTC labels are code points: spreading a string into them is what is meant.
      '@typescript-eslint/no-misused-spread': ['error', { allow: [{ from: 'lib', name: 'string' }] }],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'no-restricted-imports': ['error', {
        paths: [
          { name: 'onnxruntime-node', message: onlyIn('engine/runtime', 'onnxruntime-node') },
          { name: 'node:fs', importNames: ['writeFileSync', 'renameSync', 'createWriteStream'], message: onlyIn('engine/checkpoint/atomic.ts', 'Writing files') },
          { name: 'node:fs/promises', importNames: ['writeFile', 'rename'], message: onlyIn('engine/checkpoint/atomic.ts', 'Writing files') },
        ],
      }],
    },
  },
  { files: ['engine/runtime/**', 'engine/checkpoint/atomic.ts', '**/*.test.ts', '**/testing/**', 'fixtures/**'], rules: { 'no-restricted-imports': 'off' } },
  { files: ['eslint.config.js', '.dependency-cruiser.cjs'], extends: [tseslint.configs.disableTypeChecked], rules: { '@typescript-eslint/no-require-imports': 'off' }, languageOptions: { globals: { module: 'writable' } } },
)
