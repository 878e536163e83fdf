// Each folder of the engine imports only those before it in this list (docs/architecture.md).
const order = ['contract', 'errors.ts', 'page', 'processes', 'recipes', 'ir', 'autodiff', 'onnx', 'nn', 'runtime', 'checkpoint', 'models', 'audio', 'synthesis', 'datasets', 'evaluate', 'distill', 'report', 'jobs', 'workbench', 'serve', 'cli']
const place = (name) => (name.endsWith('.ts') ? `^engine/${name.replace('.', '\\.')}$` : `^engine/${name}/`)

module.exports = {
  forbidden: [
    ...order.slice(0, -1).map((name, i) => ({
      name: `${name}-imports-only-what-stands-above-it`,
      severity: 'error',
      from: { path: place(name), pathNot: '\\.test\\.ts$|/testing/' },
      to: { path: order.slice(i + 1).map(place).join('|') },
    })),
    {
      name: 'main-and-preload-import-only-the-contract-and-what-has-no-native-part',
      severity: 'error',
      from: { path: '^electron/(main|preload)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^engine/', pathNot: '^engine/(contract|page)/|^engine/errors\\.ts$|^engine/checkpoint/atomic\\.ts$' },
    },
    { name: 'only-the-desktop-imports-electron', severity: 'error', from: { pathNot: '^electron/' }, to: { path: '^electron/|node_modules/electron/', pathNot: '^electron/binary\\.ts$' } },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'only-the-runtime-imports-onnxruntime',
      severity: 'error',
      from: { pathNot: '^engine/runtime/' },
      to: { path: 'onnxruntime-node' },
    },
    { name: 'tests-are-not-imported', severity: 'error', from: { pathNot: '\\.test\\.ts$|/testing/' }, to: { path: '\\.test\\.ts$|/testing/' } },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'], conditionNames: ['import', 'node', 'types'] },
  },
}
