/** What Node has and its types leave to the DOM library. */
declare namespace WebAssembly {
  type Module = object
  interface Instance {
    readonly exports: Readonly<Record<string, unknown>>
  }
  function compile(bytes: Uint8Array): Promise<Module>
  function instantiate(module: Module, imports: Readonly<Record<string, object>>): Promise<Instance>
}
