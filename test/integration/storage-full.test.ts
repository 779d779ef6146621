/** A real file system that is full, and one that is read-only: a small tmpfs in a mount namespace of its own. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const child = fileURLToPath(new URL('storage-full-child.ts', import.meta.url))
const unshare = ['--user', '--map-root-user', '--mount']
const canMount = spawnSync('unshare', [...unshare, 'mount', '-t', 'tmpfs', 'tmpfs', '/tmp']).status === 0

test.skipIf(!canMount)('a full disk and a read-only one say so, and lose nothing', () => {
  const mount = mkdtempSync(join(tmpdir(), 'quorate-full-'))
  const node = [process.execPath, '--experimental-strip-types', '--no-warnings', child, mount]
  const script = 'mount -t tmpfs -o size=600k tmpfs "$0" && exec "$@"'
  try {
    const printed = execFileSync('unshare', [...unshare, 'sh', '-c', script, mount, ...node], { encoding: 'utf8' })
    const full = { code: 'ERR_STORAGE_FULL', details: { errno: 'ENOSPC', freeBytes: expect.any(Number) as number } }
    const readOnly = { code: 'ERR_STORAGE_ACCESS', nextStep: expect.stringContaining('read-only') as string }
    const outcomes = JSON.parse(printed) as [unknown, unknown, { acknowledged: number; recovered: number }]
    expect(outcomes).toMatchObject([full, full, { acknowledged: expect.any(Number) as number }, readOnly, readOnly])
    expect(outcomes[2].acknowledged).toBeGreaterThan(100)
    // The batch that failed may be there: its own bytes can have fitted when the space written ahead did not.
    expect(outcomes[2].recovered - outcomes[2].acknowledged).toBeOneOf([0, 1])
  } finally {
    rmSync(mount, { recursive: true })
  }
})
