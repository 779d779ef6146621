/**
 * What two nodes say to each other before anything else: a hello and a verdict each way (FAULTS B1 to B6). The channel has
 * already proved the peer's key; a hello shows that this key is a member's. Nothing in it is secret, and nothing in it is
 * believed unless a signature or the channel says so: `wallMs` and `agent` are for diagnostics only, and `priority` is the
 * sender's own wish.
 */
import { ADDRESS_RECORD_BYTES_MAX } from '../identity/address-record.ts'
import { BOOT_STATEMENT_BYTES_MAX } from '../identity/boot-statement.ts'
import { encodeCbor } from '../core/cbor.ts'
import { PRIORITY_MAX } from '../core/priority.ts'
import { cborMap, decodeDocument, Fields } from '../identity/document.ts'
import { GENESIS_BYTES_MAX } from '../identity/genesis.ts'
import { DETAIL_CHARS_MAX, REFUSAL_CODES, refusal, type Refusal, type RefusalCode } from './refusal.ts'

export const HELLO_VERSION = 1
/** Largest encoded hello; a frame that declares more is not read. */
export const HELLO_BYTES_MAX = 16 * 1024
/** Largest encoded verdict: a genesis and a little. */
export const VERDICT_BYTES_MAX = GENESIS_BYTES_MAX + 512

const CLAIM_BYTES_MAX = 8 * 1024
export const AGENT_CHARS_MAX = 64

export interface Hello {
  /** Of this exchange. A peer of another version is told so. */
  readonly version: number
  readonly domainId: Uint8Array
  readonly generation: number
  /** The claim bundle; undefined for a node that has nothing to show (it will be refused, with a reason). */
  readonly claim: Uint8Array | undefined
  /** The first boot statement of this process life, signed. */
  readonly boot: Uint8Array
  /** Undefined until founded. */
  readonly clusterId: Uint8Array | undefined
  readonly addressRecord: Uint8Array | undefined
  /** The sender's wall clock, so that a refusal for a date can name both. Never used for anything else. */
  readonly wallMs: number
  /** Program and version, for people. */
  readonly agent: string
  /** How much the sender would like to lead, from 0 to PRIORITY_MAX (src/raft/heirs.ts). Nothing but speed rests on it. */
  readonly priority: number
  /** The sender knows only the domainId and asks for the document. */
  readonly needGenesis: boolean
}

export type Verdict = { readonly ok: true; readonly genesis?: Uint8Array } | ({ readonly ok: false } & Refusal)

export function encodeHello(hello: Hello): Uint8Array {
  return encodeCbor(
    cborMap([
      ['v', hello.version],
      ['domain', hello.domainId],
      ['gen', hello.generation],
      ['claim', hello.claim],
      ['boot', hello.boot],
      ['cluster', hello.clusterId],
      ['addr', hello.addressRecord],
      ['wall', Math.floor(hello.wallMs)],
      ['agent', hello.agent.toWellFormed().slice(0, AGENT_CHARS_MAX).toWellFormed()],
      ['priority', hello.priority],
      ['needGenesis', hello.needGenesis]
    ])
  )
}

/** Throws InvalidDocumentError. A hello of another version is read only as far as its version number. */
export function decodeHello(bytes: Uint8Array): Hello | { readonly version: number; readonly unreadable: true } {
  const fields = new Fields('hello', decodeDocument('hello', bytes, HELLO_BYTES_MAX, { depthMax: 2, itemsMax: 64 }))
  const version = fields.integer('v', 0, 0xffff)
  if (version !== HELLO_VERSION) return { version, unreadable: true }
  const hello: Hello = {
    version,
    domainId: fields.bytes('domain', 32),
    generation: fields.integer('gen', 1),
    claim: fields.optional('claim', () => fields.bytes('claim', 1, CLAIM_BYTES_MAX)),
    boot: fields.bytes('boot', 1, BOOT_STATEMENT_BYTES_MAX),
    clusterId: fields.optional('cluster', () => fields.bytes('cluster', 32)),
    addressRecord: fields.optional('addr', () => fields.bytes('addr', 1, ADDRESS_RECORD_BYTES_MAX)),
    wallMs: fields.integer('wall', Number.MIN_SAFE_INTEGER),
    agent: fields.text('agent', AGENT_CHARS_MAX),
    priority: fields.integer('priority', 0, PRIORITY_MAX),
    needGenesis: fields.flag('needGenesis')
  }
  fields.end()
  return hello
}

export function encodeVerdict(verdict: Verdict): Uint8Array {
  if (verdict.ok) {
    return encodeCbor(
      cborMap([
        ['ok', true],
        ['genesis', verdict.genesis]
      ])
    )
  }
  const { code, detail } = refusal(verdict.code, verdict.detail)
  return encodeCbor(
    cborMap([
      ['ok', false],
      ['code', code],
      ['detail', detail]
    ])
  )
}

/** Throws InvalidDocumentError. The detail is a stranger's text: it is escaped and capped again on arrival. */
export function decodeVerdict(bytes: Uint8Array): Verdict {
  const fields = new Fields(
    'verdict',
    decodeDocument('verdict', bytes, VERDICT_BYTES_MAX, { depthMax: 2, itemsMax: 8 })
  )
  const verdict = fields.flag('ok') ? readConsent(fields) : readRefusal(fields)
  fields.end()
  return verdict
}

function readConsent(fields: Fields): Verdict {
  const genesis = fields.optional('genesis', () => fields.bytes('genesis', 1, GENESIS_BYTES_MAX))
  return genesis === undefined ? { ok: true } : { ok: true, genesis }
}

function readRefusal(fields: Fields): Verdict {
  const code: RefusalCode = fields.oneOf('code', REFUSAL_CODES)
  return { ok: false, ...refusal(code, fields.text('detail', DETAIL_CHARS_MAX)) }
}
