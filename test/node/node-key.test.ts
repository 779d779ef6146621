/** The key of a data directory: made once, and not beside the log of another. */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadOrCreateNodeKey } from '../../src/node/node-key.ts'
import { openDataDir } from '../../src/storage/data-dir.ts'
import { openWalStorage } from '../../src/storage/wal/wal.ts'

let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'quorate-node-key-'))
})

afterEach(() => rmSync(dir, { recursive: true, force: true }))

test('is made at the first start, with the directory, and stays the same', async () => {
  const fresh = join(dir, 'deeper', 'node-1')
  const first = await loadOrCreateNodeKey(fresh)
  const second = await loadOrCreateNodeKey(fresh)
  expect([first.created, second.created]).toEqual([true, false])
  expect(second.signer.peerId).toBe(first.signer.peerId)
  expect(statSync(fresh).mode & 0o777).toBe(0o700)
})

test('is made in a directory that was born and never written', async () => {
  await (await openDataDir(dir)).close()
  expect((await loadOrCreateNodeKey(dir)).created).toBe(true)
})

test('is not made where a log has lost its key', async () => {
  const { signer } = await loadOrCreateNodeKey(dir)
  const data = await openDataDir(dir)
  const owner = { domainId: new Uint8Array(32), peerId: signer.peerId, storeId: data.storeId }
  await (await openWalStorage({ directory: data.pathOf('wal'), owner })).close()
  await data.close()
  rmSync(join(dir, 'node.key'))
  const before = readdirSync(dir)
  await expect(loadOrCreateNodeKey(dir)).rejects.toMatchObject({
    code: 'ERR_NODE_KEY_MISSING',
    details: { path: join(dir, 'node.key'), peerId: signer.peerId },
    nextStep: expect.stringContaining('Put the key file back') as string
  })
  expect(readdirSync(dir)).toEqual(before)
})

test.skipIf(!existsSync('/proc/self'))('a place where no directory can be made is said at once', async () => {
  await expect(loadOrCreateNodeKey('/proc/quorate/node')).rejects.toMatchObject({
    code: 'ENOENT',
    path: '/proc/quorate'
  })
})
