import { setFlagsFromString } from 'node:v8';

/**
 * Switches off what Node would do in this process for nothing. Call it before a driver or parser is loaded; only in a
 * process that is flyback's own. Gains are of docs/benchmark.md's machine.
 */
export function startLean(): void {
  // The SQL parser is WebAssembly. V8 would compile its large functions a second time, optimised, on other threads, and
  // Node waits for these before it ends: some 80 ms at the end of each command. With 40,000 statements it makes no clear difference.
  setFlagsFromString('--wasm-tiering-budget=2000000000');
  // Without a navigator, which Node has had since version 21, pg finds out whether it runs at Cloudflare by making a
  // Response, and for that Node 20 loads all of fetch: 35 ms.
  if (!('navigator' in globalThis)) {
    Object.defineProperty(globalThis, 'navigator', {
      value: { userAgent: `Node.js/${process.versions.node.split('.')[0] ?? ''}` },
      configurable: true,
      enumerable: false,
      writable: true,
    });
  }
}
