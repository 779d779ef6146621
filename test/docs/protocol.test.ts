/**
 * docs/PROTOCOL.md and its chapters say what the code does: the grammar that stands there is read and held against real encodings.
 *
 * - Every kind of frame, message, document and record is encoded by the shipped code and must be what the grammar says. The tables
 *   below are complete by their types: a new kind in the code does not compile here before it has a sample.
 * - Every alternative and every optional field of the grammar is taken by some sample: what the code no longer has must go.
 * - Whatever bytes a decoder accepts, the grammar allows: caps and types in the docs are those of the code.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { join as joinPath } from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../src/core/bytes.ts'
import { type CborValue, decodeCbor, encodeCbor } from '../../src/core/cbor.ts'
import { QuorateError } from '../../src/core/errors.ts'
import { sha256 } from '../../src/core/hash.ts'
import { encodeFormationMessage, encodeFormationState } from '../../src/formation/index.ts'
import type { FormationMessage, FoundingCertificate } from '../../src/formation/index.ts'
import { makeAddressRecord } from '../../src/identity/address-record.ts'
import { type BootStatementInit, makeBootStatement } from '../../src/identity/boot-statement.ts'
import { encodeCertificate } from '../../src/identity/certificate.ts'
import { readClaim as readIdentityClaim } from '../../src/identity/claim.ts'
import { encodeHello, encodeVerdict, type Hello, HELLO_VERSION, REFUSAL_CODES } from '../../src/membership/admission.ts'
import { decodeHello, decodeVerdict } from '../../src/membership/hello.ts'
import { encodeDenial } from '../../src/membership/denial.ts'
import { encodeRedeem } from '../../src/membership/redemptions.ts'
import { encodeMembership, encodeRaftMessage, type Entry, type RaftMessage } from '../../src/raft/index.ts'
import { decodeRaftMessage } from '../../src/raft/messages.ts'
import { encodeBoots, encodeHardState } from '../../src/replica/durable.ts'
import {
  decodeFrame,
  encodeFrame,
  type ForwardedOperation,
  type Frame,
  type FrameScope
} from '../../src/replica/frames.ts'
import { encodeCommand } from '../../src/replicated-config/index.ts'
import { makeClaim, readClaim } from '../formation/fake-crypto.ts'
import {
  bytes16,
  bytes32,
  certificateBytes,
  certify,
  claimBy,
  found,
  nodes,
  rosterClaim,
  rosterGenesis,
  seatsGenesis,
  seatToken,
  tokenFor
} from '../identity/fixtures.ts'
import { message as anyRaftMessage } from '../raft/arbitraries.ts'
import { makeStatement } from '../replica/fake-statements.ts'
import { Cddl } from './cddl.ts'

const docs = fileURLToPath(new URL('../../docs/', import.meta.url))
const grammar = new Cddl()
for (const name of ['PROTOCOL.md', ...readdirSync(joinPath(docs, 'protocol')).map((file) => `protocol/${file}`)]) {
  grammar.add(name, readFileSync(joinPath(docs, name), 'utf8'))
}

const scope: FrameScope = { domainId: bytes32('domain'), clusterId: bytes32('cluster'), generation: 1, readClaim }
const [alpha, bravo, , delta] = nodes
const id16 = bytes16('request')

// ── Samples: one table for each union of the code ───────────────────────────────────────────────────────────────────

const entries: readonly Entry[] = [
  { index: 4, term: 2, type: 'noop', data: new Uint8Array() },
  { index: 5, term: 2, type: 'command', data: utf8('data') },
  {
    index: 6,
    term: 3,
    type: 'membership',
    data: encodeMembership({ voters: ['a'], outgoing: [], learners: [], learnersNext: [], autoLeave: false })
  }
]

const raftMessages: { readonly [T in RaftMessage['type']]: readonly Extract<RaftMessage, { type: T }>[] } = {
  'pre-vote': [{ type: 'pre-vote', nextTerm: 3, round: 1, lastIndex: 2, lastTerm: 2 }],
  'pre-vote-reply': [{ type: 'pre-vote-reply', term: 0, round: 1, granted: true }],
  'pre-vote-offer': [{ type: 'pre-vote-offer', nextTerm: 4, lastIndex: 2, lastTerm: 2, seq: 8 }],
  vote: [{ type: 'vote', term: 3, lastIndex: 2, lastTerm: 2, transfer: false }],
  'vote-reply': [{ type: 'vote-reply', term: 3, granted: true }],
  append: [
    { type: 'append', term: 3, prevIndex: 3, prevTerm: 2, commit: 3, entries },
    { type: 'append', term: 3, prevIndex: 0, prevTerm: 0, commit: 0, entries: [] }
  ],
  'append-accepted': [{ type: 'append-accepted', term: 3, match: 6 }],
  'append-rejected': [{ type: 'append-rejected', term: 3, prevIndex: 9, hintIndex: 6, hintTerm: 3 }],
  heartbeat: [{ type: 'heartbeat', term: 3, commit: 5, seq: 8, waitMs: 10, heir: 0 }],
  'heartbeat-reply': [{ type: 'heartbeat-reply', term: 3, seq: 8, match: 6 }],
  commit: [{ type: 'commit', term: 3, commit: 6 }],
  transfer: [{ type: 'transfer', term: 3, lastIndex: 6, lastTerm: 3 }]
}

const set = { claims: [makeClaim('a', 1), makeClaim('b', 2)] }
const spare = makeClaim('spare', 2)
const certificate: FoundingCertificate = {
  term: 2,
  set,
  acceptances: [set.claims[0]!, spare].map((claim) => ({
    incarnation: claim.incarnation,
    claim,
    signature: bytes32(claim.incarnation)
  }))
}

const formationMessages: { readonly [T in FormationMessage['type']]: Extract<FormationMessage, { type: T }> } = {
  'request-vote': { type: 'request-vote', term: 2, acceptedTerm: 0 },
  vote: { type: 'vote', term: 2 },
  refuse: { type: 'refuse', of: 2, term: 3, acceptedTerm: 1 },
  propose: { type: 'propose', term: 2, set },
  accept: { type: 'accept', term: 2, signature: bytes32('signature') },
  certificate: { type: 'certificate', certificate }
}

const operations: { readonly [O in ForwardedOperation['op']]: readonly Extract<ForwardedOperation, { op: O }>[] } = {
  command: [{ op: 'command', data: utf8('data') }],
  transfer: [
    { op: 'transfer', to: 'p2' },
    { op: 'transfer', to: undefined }
  ],
  leave: [{ op: 'leave' }],
  read: [{ op: 'read' }],
  promote: [{ op: 'promote', member: 'p2' }],
  demote: [{ op: 'demote', member: 'p2#1' }],
  remove: [{ op: 'remove', member: 'p2' }],
  replace: [
    { op: 'replace', member: 'p2', by: 'p3' },
    { op: 'replace', member: 'p2', by: undefined }
  ]
}

const answer = { kind: 'answer', requestId: id16, index: 9, code: '', detail: '' } as const
const name = { index: 7, term: 2, digest: bytes32('snapshot'), size: 100 }

const frames: { readonly [K in Frame['kind']]: readonly Extract<Frame, { kind: K }>[] } = {
  formation: Object.values(formationMessages).map((message) => ({ kind: 'formation', message })),
  raft: Object.values(raftMessages).flatMap((list) => list.map((message) => ({ kind: 'raft' as const, message }))),
  peers: [{ kind: 'peers', records: [utf8('record')] }],
  forward: Object.values(operations).flatMap((list) =>
    list.map((operation) => ({ kind: 'forward' as const, requestId: id16, operation }))
  ),
  answer: [
    { ...answer, status: 'done', leader: 'p1' },
    { ...answer, status: 'retry', leader: undefined },
    { ...answer, status: 'refused', leader: undefined }
  ],
  fenced: (['removed', 'rolled-back', 'clone'] as const).map((code) => ({
    kind: 'fenced',
    code,
    index: 3,
    detail: ''
  })),
  snapshot: [{ kind: 'snapshot', leaderTerm: 3, name, offset: 10, data: utf8('piece') }],
  'snapshot-progress': (['more', 'whole', 'unusable'] as const).map((state) => ({
    kind: 'snapshot-progress',
    digest: name.digest,
    received: 15,
    state
  })),
  boots: [{ kind: 'boots', statements: [utf8('statement')] }]
}

const allFrames: readonly Frame[] = Object.values(frames).flat()
const encodedFrames: readonly CborValue[] = allFrames.map((frame) => decodeCbor(encodeFrame(frame, scope)))

const hello = (change: Partial<Hello> = {}): Hello => ({
  version: HELLO_VERSION,
  domainId: bytes32('domain'),
  generation: 1,
  claim: undefined,
  boot: utf8('none'),
  clusterId: undefined,
  addressRecord: undefined,
  wallMs: 5,
  agent: 'quorate',
  priority: 100,
  needGenesis: false,
  ...change
})

/** By rule: what the shipped code writes. Filled by signing, before the tests. */
const documents: Record<string, Uint8Array[]> = {}

beforeAll(async () => {
  const genesis = await seatsGenesis()
  const roster = await rosterGenesis()
  const digest = await seatsGenesis({ schema: undefined, schemaDigest: bytes32('schema') } as never)
  const seat = await seatToken(genesis, 1)
  const dates = { notBeforeMs: 1_767_400_000_000, expiresMs: 1_767_500_000_000, boundPeer: delta.signer.peerId }
  const join = await tokenFor(genesis, 'join', { kind: 'join', role: 'voter', uses: 3 }, dates)
  const watch = await tokenFor(genesis, 'watch', { kind: 'join', role: 'observer', uses: 1 })
  const claim = await claimBy(alpha, seat)
  const statement: BootStatementInit = {
    ...{ domainId: genesis.domainId, generation: 1, storeId: bytes16('store'), boot: 1, bootNonce: bytes16('nonce') },
    ...{ sequence: 0, term: 1, votedFor: undefined, lastIndex: 2, commitIndex: 1, seen: undefined }
  }
  const boot = await makeBootStatement(alpha.signer, statement)
  const record = await makeAddressRecord(alpha.signer, ['/ip4/192.0.2.1/tcp/4001'], 1)
  const { claims } = (await found(genesis)).set
  // The new disk of a founder that was wiped half way signs what its old one is in.
  const again = readIdentityClaim(await claimBy(alpha, seat, 'new store'), genesis).founding!
  const wide = await certify(genesis, 2, claims, [
    [alpha, again],
    [bravo, claims[1]!],
    [nodes[2], claims[2]!]
  ])
  const timings: Uint8Array[] = []
  for (const timing of ['lan', 'wan', 'edge', 'fast'] as const) timings.push((await seatsGenesis({ timing })).bytes)
  Object.assign(documents, {
    genesis: [...timings, roster.bytes, digest.bytes],
    token: [seat.document, join.document, watch.document],
    bundle: [claim, await rosterClaim(alpha, roster), await claimBy(delta, join), await claimBy(delta, watch)],
    'founding-certificate': [await certificateBytes(genesis), encodeCertificate(wide)],
    'address-record': [record],
    'boot-statement': [
      boot,
      await makeBootStatement(alpha.signer, { ...statement, votedFor: 'b#1', seen: '0f'.repeat(32) })
    ],
    hello: [
      encodeHello(hello({ boot, claim, clusterId: bytes32('cluster'), addressRecord: record })),
      encodeHello(hello({ boot, needGenesis: true }))
    ],
    verdict: [
      encodeVerdict({ ok: true }),
      encodeVerdict({ ok: true, genesis: genesis.bytes }),
      ...REFUSAL_CODES.map((code) => encodeVerdict({ ok: false, code, detail: 'why' }))
    ]
  })
})

const record = (change: object): Uint8Array =>
  encodeCommand({
    kind: 'config-set',
    requestId: '0a'.repeat(16),
    author: 'p1',
    at: 5,
    reason: '',
    text: '{}',
    ...change
  })

const statements = [1, 2].map((boot) =>
  makeStatement({
    ...{ peerId: 'a', storeId: '1', boot, bootNonce: `n${boot}`, sequence: 0, seen: undefined },
    ...{ term: 1, votedFor: undefined, lastIndex: 0, commitIndex: 0 }
  })
)
const promises = { term: 1, votedTerm: 1, matchTerm: 1, match: 2, kept: 1 }
const bar = { detail: 'why', proved: true, statements: statements.map(({ bytes }) => bytes) }

/** What is written to disk. */
const stored: readonly (readonly [file: string, rule: string, values: readonly CborValue[]])[] = [
  [
    'protocol/formation.md',
    'formation-state',
    [
      decodeCbor(encodeFormationState({ term: 3, votedFor: 'a#1', accepted: { term: 2, set }, certificate })),
      decodeCbor(encodeFormationState({ term: 0, votedFor: undefined, accepted: undefined, certificate: undefined }))
    ]
  ],
  [
    'protocol/raft.md',
    'membership',
    [
      decodeCbor(
        encodeMembership({ voters: ['a'], outgoing: ['b'], learners: ['c'], learnersNext: ['b'], autoLeave: true })
      )
    ]
  ],
  ['protocol/config.md', 'config-set', [decodeCbor(record({})), decodeCbor(record({ ifVersion: 3 }))]],
  [
    'protocol/config.md',
    'redeem',
    (['voter', 'observer'] as const).map((role) =>
      decodeCbor(encodeRedeem({ tokenId: '0a'.repeat(16), peerId: 'p1', role, uses: 3 }))
    )
  ],
  ['protocol/config.md', 'deny', [decodeCbor(encodeDenial('p1#1'))]],
  [
    'PROTOCOL.md',
    'boots',
    [
      decodeCbor(
        encodeBoots([
          { newest: statements[1]!, before: statements[0], promises, bar: { code: 'clone', ...bar } },
          { newest: statements[1]!, before: undefined, promises, bar: { code: 'rolled-back', ...bar } },
          { newest: statements[1]!, before: undefined, promises, bar: undefined }
        ])
      )
    ]
  ],
  [
    'PROTOCOL.md',
    'vote-record',
    [
      decodeCbor(encodeHardState({ term: 3, votedFor: 'a#1' })),
      decodeCbor(encodeHardState({ term: 0, votedFor: undefined }))
    ]
  ]
]

/** Fits, and together they take everything that the grammar offers, but for rules inside that have their own samples. */
function expectWhole(file: string, rule: string, values: readonly CborValue[], inside: readonly string[] = []): void {
  const taken = new Set<string>()
  for (const value of values) expect(grammar.problem(file, rule, value, taken), JSON.stringify(value)).toBeUndefined()
  const elsewhere = new Set(inside.flatMap((other) => [...grammar.places(file, other)]))
  const places = [...grammar.places(file, rule)].filter((place) => !elsewhere.has(place))
  expect(places.filter((place) => !taken.has(place))).toEqual([])
}

describe('the grammar in the docs', () => {
  it('is that of every frame', () => {
    expectWhole('PROTOCOL.md', 'frame', encodedFrames)
  })

  it('is that of every message of consensus and of formation', () => {
    expectWhole('protocol/raft.md', 'raft-message', Object.values(raftMessages).flat().map(encodeRaftMessage))
    expectWhole(
      'protocol/formation.md',
      'formation-message',
      Object.values(formationMessages).map(encodeFormationMessage)
    )
  })

  it.each<readonly [string, readonly string[]]>([
    ['genesis', []],
    ['token', []],
    ['bundle', []],
    ['founding-certificate', ['bundle']],
    ['address-record', []],
    ['boot-statement', []],
    ['hello', ['bundle', 'address-record', 'boot-statement']],
    ['verdict', ['genesis']]
  ])('is that of every %s', (rule, inside) => {
    const values = documents[rule]!.map((bytes) => decodeCbor(bytes))
    expectWhole('protocol/documents.md', rule, values, inside)
  })

  it.each(stored)('%s: is that of every %s on disk', (file, rule, values) => {
    expectWhole(file, rule, values)
  })

  it('names nothing that it does not define', () => {
    for (const file of [
      'PROTOCOL.md',
      'protocol/raft.md',
      'protocol/formation.md',
      'protocol/config.md',
      'protocol/documents.md'
    ]) {
      for (const rule of grammar.names(file)) {
        if (!/^(?:sign1?|founding|join)$/.test(rule))
          expect(() => grammar.places(file, rule), `${file} ${rule}`).not.toThrow()
      }
    }
  })
})

/** The value with one item, somewhere in it, replaced, left out or repeated. */
/** Around every cap there is: what is just allowed in the code must be allowed in the docs. */
const lengths = [
  0, 1, 15, 16, 17, 31, 32, 33, 64, 65, 128, 256, 257, 512, 513, 1_024, 1_025, 2_048, 2_049, 65_536, 65_537
]
const leaf = fc.oneof(
  fc.constantFrom<CborValue>(-1, 0, 1, 2 ** 53 - 1, null, true, [], new Map()),
  fc.constantFrom(...lengths).map((length) => 'x'.repeat(length)),
  fc.constantFrom(...lengths).map((length) => new Uint8Array(length))
)
function changed(value: CborValue, path: readonly number[], by: CborValue, how: number): CborValue {
  const [at, ...rest] = path
  if (at === undefined) return by
  if (value instanceof Map) {
    const map = new Map(value as ReadonlyMap<string, CborValue>)
    const key = [...map.keys()][at % Math.max(1, map.size)]
    if (key === undefined) return by
    if (how === 1) map.delete(key)
    else map.set(key, changed(map.get(key)!, rest, by, how))
    return map
  }
  if (!Array.isArray(value) || value.length === 0) return by
  const items = [...(value as readonly CborValue[])]
  const place = at % items.length
  if (how === 1 && rest.length === 0) items.splice(place, 1)
  else if (how === 2 && rest.length === 0)
    items.splice(place, 0, ...Array<CborValue>(1 + (at % 40)).fill(items[place]!))
  else items[place] = changed(items[place]!, rest, by, how)
  return items
}

const alteredOf = (values: readonly CborValue[]): fc.Arbitrary<CborValue> =>
  fc
    .tuple(
      fc.constantFrom(...values),
      fc.array(fc.nat({ max: 60 }), { minLength: 1, maxLength: 4 }),
      leaf,
      fc.nat({ max: 2 })
    )
    .map(([value, path, by, how]) => changed(value, path, by, how))

/** What a decoder takes, the docs allow. */
function expectAllowed(
  file: string,
  rule: string,
  values: readonly CborValue[],
  decode: (bytes: Uint8Array) => unknown
): void {
  let accepted = 0
  fc.assert(
    fc.property(alteredOf(values), (value) => {
      const bytes = encodeCbor(value)
      try {
        decode(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(QuorateError)
        return
      }
      accepted++
      expect(grammar.problem(file, rule, decodeCbor(bytes)), JSON.stringify(value)).toBeUndefined()
    }),
    { numRuns: 2_500, seed: 7 }
  )
  expect(accepted).toBeGreaterThan(50)
}

const many = (count: number, item: CborValue): CborValue => Array.from({ length: count }, () => item)

/** A body at its cap, and one beyond it, by the size: both the code and the docs draw the line there. */
const caps: readonly (readonly [what: string, cap: number, kind: number, body: (size: number) => CborValue])[] = [
  ['records in peers', 32, 2, (n) => many(n, new Uint8Array(1))],
  ['bytes of a record', 2_048, 2, (n) => [new Uint8Array(n)]],
  ['bytes of a command', 524_288, 3, (n) => [id16, 'command', new Uint8Array(n)]],
  ['letters of a member', 512, 3, (n) => [id16, 'remove', 'x'.repeat(n)]],
  ['letters of a detail', 512, 4, (n) => [id16, 0, null, 1, '', 'x'.repeat(n)]],
  ['the status of an answer', 2, 4, (n) => [id16, n, null, 1, '', '']],
  ['letters of a reason to be fenced', 512, 5, (n) => ['removed', 1, 'x'.repeat(n)]],
  ['bytes of a piece', 65_536, 6, (n) => [3, 7, 2, name.digest, 200_000, 0, new Uint8Array(n)]],
  ['bytes of a snapshot', 268_435_456, 6, (n) => [3, 7, 2, name.digest, n, 0, new Uint8Array(1)]],
  ['the state of a snapshot', 2, 7, (n) => [name.digest, 5, n]],
  ['statements in boots', 32, 8, (n) => many(n, new Uint8Array(1))],
  ['bytes of a statement', 1_024, 8, (n) => [new Uint8Array(n)]],
  ['entries in an append', 4_096, 1, (n) => [5, 3, 0, 0, 0, many(n, [1, 2, new Uint8Array()])]],
  ['the term of a founding', 1_099_511_627_776, 0, (n) => [1, n]],
  ['bytes of a founding signature', 1_024, 0, (n) => [4, 1, new Uint8Array(n)]]
]

describe('what is read', () => {
  it.each(caps)('ends at the same place in code and docs: %s, %i', (_, cap, kind, body) => {
    const ofDomain = kind === 0 || kind === 2 || kind === 5 || kind === 8
    for (const size of [cap, cap + 1]) {
      const value: CborValue = [ofDomain ? scope.domainId : scope.clusterId!, 1, kind, body(size)]
      const read = (): unknown => decodeFrame(encodeCbor(value), scope)
      if (size === cap) expect(read).not.toThrow()
      else expect(read).toThrow(QuorateError)
      expect(grammar.problem('PROTOCOL.md', 'frame', value) === undefined).toBe(size === cap)
    }
  })

  it('as a frame, the grammar allows', () => {
    expectAllowed('PROTOCOL.md', 'frame', encodedFrames, (bytes) => decodeFrame(bytes, scope))
  })

  it('as a message of consensus, the grammar allows', () => {
    const samples = fc.sample(anyRaftMessage, { numRuns: 60, seed: 3 }).map(encodeRaftMessage)
    expectAllowed('protocol/raft.md', 'raft-message', samples, (bytes) => decodeRaftMessage(decodeCbor(bytes)))
  })

  it('as a hello or a verdict, the grammar allows', () => {
    // What is inside of its byte strings is read one by one, by the judge.
    const bare = decodeCbor(encodeHello(hello({ boot: sha256() })))
    grammar.add(
      'test.md',
      '```cddl\nbare-hello = { "v": 1, "domain": domain-id, "gen": generation, "boot": bytes .size (1..1024), "wall": int, "agent": tstr .size (0..64), "priority": 0..1000, "needGenesis": bool, ? "claim": bytes, ? "cluster": cluster-id, ? "addr": bytes }\n```\n'
    )
    expectAllowed('test.md', 'bare-hello', [bare], (bytes) => {
      const read = decodeHello(bytes)
      if ('unreadable' in read) throw new QuorateError('Version', 'ERR_VERSION', 'another version')
    })
    const verdicts = documents['verdict']!.map((bytes) => decodeCbor(bytes))
    grammar.add(
      'test.md',
      '```cddl\nbare-verdict = { "ok": true, ? "genesis": bytes } / { "ok": false, "code": refusal-code, "detail": tstr .size (0..512) }\n```\n'
    )
    expectAllowed('test.md', 'bare-verdict', verdicts, decodeVerdict)
  })
})
