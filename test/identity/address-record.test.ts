import { describe, expect, it } from 'vitest'
import { encodeCbor } from '../../src/core/cbor.ts'
import { InvalidOptionError } from '../../src/core/errors.ts'
import {
  addressSequence,
  ADDRESSES_MAX,
  makeAddressRecord,
  readAddressRecord
} from '../../src/identity/address-record.ts'
import { sign1 } from '../../src/identity/cose.ts'
import { InvalidDocumentError } from '../../src/identity/document.ts'
import { nodes } from './fixtures.ts'

const [alpha, bravo] = nodes
const own = alpha.signer.peerId

describe('address records', () => {
  it('say whose they are, where that one is, and which came later', async () => {
    const addresses = [
      '/ip4/192.0.2.1/tcp/4001',
      '/ip6/2001:db8::1/tcp/4001',
      '/ip6zone/eth0/ip6/fe80::1/tcp/1',
      `/dns4/node-1.example.org/tcp/4001/p2p/${own}`
    ]
    const record = readAddressRecord(await makeAddressRecord(alpha.signer, addresses, addressSequence(7, 2)))
    expect(record).toEqual({ peerId: own, addresses, sequence: 7 * 2 ** 20 + 2 })
    expect(readAddressRecord(await makeAddressRecord(alpha.signer, [], 0)).addresses).toEqual([])
  })

  it('rise with every change and every boot, however many changes a boot has', () => {
    const sequences = [addressSequence(1, 0), addressSequence(1, 1), addressSequence(1, 2 ** 30), addressSequence(2, 0)]
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b))
    expect(new Set(sequences).size).toBe(4)
  })

  const bad: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ['too many', Array.from({ length: ADDRESSES_MAX + 1 }, () => '/ip4/192.0.2.1'), 1, /9 addresses, at most 8/],
    ['no multiaddr', ['192.0.2.1:4001'], 1, /not a multiaddr/],
    ['a control character', ['/dns4/a\u001b[2J/tcp/1'], 1, /not a multiaddr/],
    ['a line end', ['/ip4/192.0.2.1\n'], 1, /not a multiaddr/],
    ['too long', [`/dns4/${'a'.repeat(260)}`], 1, /not a multiaddr of at most 256/],
    ['somebody else', [`/ip4/192.0.2.1/tcp/1/p2p/${bravo.signer.peerId}`], 1, /leads to another peer than the signer/],
    ['a fraction', [], 1.5, /sequence 1.5/],
    ['a negative sequence', [], -1, /sequence -1/]
  ]
  it.each(bad)('are neither made nor read with %s', async (_, addresses, sequence, message) => {
    await expect(makeAddressRecord(alpha.signer, addresses, sequence)).rejects.toThrow(InvalidOptionError)
    await expect(makeAddressRecord(alpha.signer, addresses, sequence)).rejects.toThrow(message)
    if (!Number.isInteger(sequence)) return
    const fields = encodeCbor(
      new Map<string, number | readonly string[]>([
        ['seq', sequence],
        ['addrs', addresses]
      ])
    )
    const signed = await sign1('quorate/address-record/v1', fields, alpha.signer)
    expect(() => readAddressRecord(signed)).toThrow(InvalidDocumentError)
  })
})
