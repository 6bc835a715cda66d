import { setFlagsFromString } from 'node:v8';

/*
 * What Node would do in this process for nothing is switched off here; only in a process that is flyback's own. Gains are
 * of docs/benchmark.md's machine.
 */

/**
 * Without a navigator, which Node has had since version 21, pg finds out whether it runs at Cloudflare by making a
 * Response, and for that Node 20 loads all of fetch: 35 ms. Call it before the driver is loaded.
 */
export function nameNavigator(): void {
  if ('navigator' in globalThis) return;
  Object.defineProperty(globalThis, 'navigator', {
    value: { userAgent: `Node.js/${process.versions.node.split('.')[0] ?? ''}` },
    configurable: true,
    enumerable: false,
    writable: true,
  });
}

/**
 * The SQL parser is WebAssembly. V8 would compile its large functions a second time, optimised, on other threads, and
 * Node waits for these before it ends: some 80 ms at the end of each command. With 40,000 statements it makes no clear
 * difference. Call it before anything is compiled: V8 keeps code only for the flags that it was compiled with.
 */
export function compileParserOnce(): void {
  setFlagsFromString('--wasm-tiering-budget=2000000000');
}
