/** Recorded bytes in test/vectors: a format that drifts is noticed, because its file no longer fits. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'vitest'
import { toHex } from '../../src/core/bytes.ts'

const FOLDER = new URL('../vectors/', import.meta.url)

/**
 * Compares with the recorded bytes. A new name is recorded at its first run outside CI. A new format is a new version of the
 * document, with a new name; no file is ever deleted to make this pass.
 */
export function expectRecorded(name: string, bytes: Uint8Array): void {
  const path = new URL(`${name}.hex`, FOLDER)
  const hex = toHex(bytes)
  if (!existsSync(path) && process.env['CI'] === undefined) {
    mkdirSync(FOLDER, { recursive: true })
    writeFileSync(path, `${hex.replaceAll(/.{100}/g, '$&\n').trimEnd()}\n`)
  }
  expect(hex).toBe(readFileSync(path, 'utf8').replaceAll('\n', ''))
}
