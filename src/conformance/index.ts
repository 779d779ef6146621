/**
 * `quorate/conformance`: what an implementation of a port must do, as plain functions for any test runner. Bring a harness
 * that makes your implementation; each case throws an AssertionError when a promise is broken.
 *
 *   import { storageConformance } from 'quorate/conformance'
 *   for (const { name, run } of storageConformance) test(name, () => run(createMyHarness))
 */
export { NODE_OLDEST } from '../core/node-version.ts'
export { storageConformance } from './storage.ts'
export type { StorageConformanceCase, StorageHarness } from './storage-kit.ts'
export { toyGate, transportConformance } from './transport.ts'
export type { TransportConformanceCase, TransportHarness, TransportHarnessNode, ToyGateInit } from './transport.ts'
