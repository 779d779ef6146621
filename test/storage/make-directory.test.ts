import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { nodeFileSystem } from '../../src/storage/file-system.ts'
import { makeDirectory } from '../../src/storage/make-directory.ts'

let root = ''
let synced: string[] = []

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'quorate-make-directory-'))
  synced = []
  const { syncDirectory } = nodeFileSystem
  vi.spyOn(nodeFileSystem, 'syncDirectory').mockImplementation((path) => {
    synced.push(path)
    return syncDirectory(path)
  })
})

afterEach(() => {
  vi.restoreAllMocks()
  rmSync(root, { recursive: true })
})

const modeOf = (path: string): number => statSync(path).mode & 0o777

test('makes what is missing, private, and each durable in the one above', async () => {
  const [a, b, c] = [join(root, 'a'), join(root, 'a', 'b'), join(root, 'a', 'b', 'c')] as const
  await makeDirectory(c)
  expect([a, b, c].map(modeOf)).toEqual([0o700, 0o700, 0o700])
  expect(synced).toEqual([root, a, b])
  await makeDirectory(c)
  expect(synced).toHaveLength(3)
})

test('says why it cannot', async () => {
  writeFileSync(join(root, 'file'), '')
  await expect(makeDirectory(join(root, 'file', 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' })
  expect(synced).toEqual([])
})

test.runIf(process.platform === 'linux')('ends where nothing can be made', async () => {
  await expect(makeDirectory('/proc/quorate/below')).rejects.toMatchObject({ code: 'ENOENT', path: '/proc/quorate' })
})
