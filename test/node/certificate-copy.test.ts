import { expect, it } from 'vitest'
import { CertificateCopy } from '../../src/node/certificate-copy.ts'
import { manualClock } from '../transport/manual-clock.ts'

const certificate = new Uint8Array([1])

function copy(): { made: CertificateCopy; kept: Uint8Array[]; advance: (ms: number) => void; errors: unknown[] } {
  const clock = manualClock()
  const kept: Uint8Array[] = []
  const errors: unknown[] = []
  const keepCertificate = (bytes: Uint8Array): Promise<void> => {
    kept.push(bytes)
    return kept.length === 1 ? Promise.resolve() : Promise.reject(new Error('the disk is full'))
  }
  const made = new CertificateCopy({ clock, home: { keepCertificate }, onError: (error) => errors.push(error) })
  return { made, kept, errors, advance: (ms) => clock.advance(ms) }
}

it('the certificate is copied when the node is ready, once', () => {
  const { made, kept, advance } = copy()
  made.make()
  made.owe(certificate)
  expect(kept).toEqual([])
  made.make()
  expect(kept).toEqual([certificate])
  made.make()
  advance(10_000)
  expect(kept).toEqual([certificate])
})

it('a node that is founded and not ready has the copy after a second', () => {
  const { made, kept, advance } = copy()
  made.owe(certificate)
  advance(999)
  expect(kept).toEqual([])
  advance(1)
  expect(kept).toEqual([certificate])
})

it('a copy that fails is told', async () => {
  const { made, errors } = copy()
  made.owe(certificate)
  made.make()
  made.owe(certificate)
  made.make()
  await Promise.resolve()
  await Promise.resolve()
  expect(errors).toEqual([new Error('the disk is full')])
})
