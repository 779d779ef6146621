/** Small files that are replaced whole or not at all. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../src/core/bytes.ts'
import { removeLeftovers, writeFileAtomic } from '../../src/storage/atomic-file.ts'
import { SimulatedDisk, errno, nothing, prefix, whole } from './simulated-disk.ts'

function diskOf(...files: readonly string[]): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk()
  disk.directories.add('/data')
  return Promise.all(files.map(async (name) => (await disk.create(`/data/${name}`)).close())).then(() => disk)
}

describe('writeFileAtomic', () => {
  test('replaces the file, keeps it private and leaves nothing else', async () => {
    const root = mkdtempSync(join(tmpdir(), 'quorate-atomic-'))
    const file = join(root, 'token')
    const found = (): unknown => [readFileSync(file, 'utf8'), statSync(file).mode & 0o777, readdirSync(root)]
    try {
      await writeFileAtomic(file, utf8('old'))
      expect(found()).toEqual(['old', 0o600, ['token']])
      await writeFileAtomic(file, utf8('new'), { mode: 0o640 })
      expect(found()).toEqual(['new', 0o640, ['token']])
    } finally {
      rmSync(root, { recursive: true })
    }
  })

  test('power cut at any moment: old or new, whole; new once it was said', async () => {
    const disk = await diskOf()
    const contentOf = (at: SimulatedDisk): string => Buffer.from(at.content('/data/token')).toString()
    await writeFileAtomic('/data/token', utf8('old'), { fileSystem: disk })
    const moments: SimulatedDisk[] = []
    disk.onChange = () => moments.push(disk.clone())
    await writeFileAtomic('/data/token', utf8('new'), { fileSystem: disk })
    for (const moment of moments) {
      for (let names = 0; names <= moment.nameChanges.length; names++) {
        for (const tear of [nothing, whole, prefix(1, false), prefix(1, true)]) {
          expect(['old', 'new']).toContain(contentOf(moment.afterPowerCut(tear, names)))
        }
      }
    }
    expect(contentOf(disk.afterPowerCut(nothing, 0))).toBe('new')
  })

  test.each([
    ['create', 'EACCES', 'StorageAccessError'],
    ['write', 'ENOSPC', 'StorageFullError'],
    ['sync', 'EIO', 'StorageFailedError'],
    ['rename', 'EROFS', 'StorageAccessError']
  ])('when %s fails with %s the old file stays and nothing is left behind', async (call, code, name) => {
    const disk = await diskOf()
    await writeFileAtomic('/data/token', utf8('old'), { fileSystem: disk })
    disk.fault = (other) => (other === call ? { error: errno(code), keep: 1 } : undefined)
    await expect(writeFileAtomic('/data/token', utf8('new'), { fileSystem: disk })).rejects.toMatchObject({
      name,
      details: {
        operation: 'writing',
        file: '/data/token',
        errno: code,
        ...(code === 'ENOSPC' && { freeBytes: 1_000_000 })
      }
    })
    disk.fault = () => undefined
    expect(Buffer.from(disk.content('/data/token')).toString()).toBe('old')
    expect([await disk.list('/data'), disk.openFiles]).toEqual([['token'], 0])
  })

  test('a temporary file that cannot be removed does not hide why it is there', async () => {
    const disk = await diskOf()
    disk.fault = (call) =>
      call === 'sync' || call === 'remove' ? { error: errno(call === 'sync' ? 'EIO' : 'EROFS') } : undefined
    await expect(writeFileAtomic('/data/token', utf8('new'), { fileSystem: disk })).rejects.toMatchObject({
      name: 'StorageFailedError',
      details: { errno: 'EIO' }
    })
  })
})

test('what a crash has left is removed, and nothing else', async () => {
  const kept = [
    'token',
    'token.tmp',
    'token.0123456789abcde.tmp',
    'token.0123456789abcdeg.tmp',
    'token-0123456789abcdef.tmp',
    'token.0123456789abcdef-tmp',
    'token.0123456789abcdef.tmp.old',
    '.0123456789abcdef.tmp'
  ]
  const left = ['token.0123456789abcdef.tmp', 't.fedcba9876543210.tmp']
  const disk = await diskOf(...left, ...kept)
  await removeLeftovers('/data', disk)
  expect(await disk.list('/data')).toEqual(kept)
})
