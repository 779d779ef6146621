/**
 * The gate: how this node introduces itself, and whom it lets in. The transport carries the bytes, `membership` judges them,
 * this file only knows where the facts for both come from.
 */
import { fromHex } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import type { BootStatement } from '../identity/boot-statement.ts'
import { readPinnedGenesis, type VerifiedGenesis } from '../identity/genesis.ts'
import { InvalidDocumentError } from '../identity/document.ts'
import {
  type AdmissionContext,
  type Admitted,
  decodeVerdict,
  encodeHello,
  encodeVerdict,
  HELLO_VERSION,
  judgeHello,
  refusal
} from '../membership/admission.ts'
import type { Replica } from '../replica/index.ts'
import type { AdmissionGate } from '../transport/gate.ts'

export interface GateFacts {
  readonly peerId: string
  readonly domainId: Uint8Array
  readonly generation: number
  /** Our own claim with its token. */
  readonly claim: Uint8Array
  /** Our own first boot statement. */
  readonly bootStatement: Uint8Array
  readonly agent: string
  readonly priority: number
  readonly clock: Clock
  genesis(): VerifiedGenesis | undefined
  /** The document that a peer brought; it hashes to our domainId. */
  onGenesis(genesis: VerifiedGenesis): void
  /** Hex; undefined until founded. */
  clusterId(): string | undefined
  addressRecord(): Uint8Array | undefined
  seats(): AdmissionContext['seats']
  members(): ReadonlySet<string>
  sessions(): readonly Admitted[]
  /** Somebody is refused as a copy of a peer with a session; what it signed is genuine. */
  onSighting(statement: BootStatement): void
  /** PeerIds that have used a join token. */
  redeemedBy(tokenId: string): readonly string[]
  isConvicted(incarnation: string): boolean
}

export function createGate(facts: GateFacts): AdmissionGate {
  const context = (remotePeerId: string): AdmissionContext => ({
    self: { peerId: facts.peerId },
    domainId: facts.domainId,
    generation: facts.generation,
    genesis: facts.genesis(),
    clusterId: bytesOf(facts.clusterId()),
    seats: facts.seats(),
    remotePeerId,
    wallMs: facts.clock.wallNow(),
    members: facts.members(),
    live: facts.sessions(),
    redeemedBy: (tokenId) => facts.redeemedBy(tokenId),
    isConvicted: (incarnation) => facts.isConvicted(incarnation)
  })
  return {
    hello: () =>
      encodeHello({
        version: HELLO_VERSION,
        domainId: facts.domainId,
        generation: facts.generation,
        claim: facts.claim,
        boot: facts.bootStatement,
        clusterId: bytesOf(facts.clusterId()),
        addressRecord: facts.addressRecord(),
        wallMs: facts.clock.wallNow(),
        agent: facts.agent,
        priority: facts.priority,
        needGenesis: facts.genesis() === undefined
      }),
    judge(hello, remotePeerId) {
      const judgement = judgeHello(hello, context(remotePeerId))
      if (judgement.ok) {
        const genesis = judgement.wantsGenesis ? facts.genesis()?.bytes : undefined
        const verdict = encodeVerdict(genesis === undefined ? { ok: true } : { ok: true, genesis })
        return { type: 'admitted', admitted: judgement.admitted, verdict }
      }
      if (judgement.sighting !== undefined) facts.onSighting(judgement.sighting)
      if (judgement.refusal.code === 'genesis-unknown') return { type: 'undecided' }
      return {
        type: 'refused',
        refusal: judgement.refusal,
        verdict: encodeVerdict({ ok: false, ...judgement.refusal })
      }
    },
    readVerdict(bytes) {
      try {
        const verdict = decodeVerdict(bytes)
        if (!verdict.ok) return { ok: false, refusal: { code: verdict.code, detail: verdict.detail } }
        learn(verdict.genesis)
        return { ok: true }
      } catch (error) {
        if (!(error instanceof InvalidDocumentError)) throw error
        return { ok: false, refusal: refusal('malformed', error.message) }
      }
    }
  }

  function learn(bytes: Uint8Array | undefined): void {
    if (bytes === undefined || facts.genesis() !== undefined) return
    const genesis = readPinnedGenesis(bytes, facts.domainId)
    if (genesis !== undefined) facts.onGenesis(genesis)
  }
}

const bytesOf = (hex: string | undefined): Uint8Array | undefined => (hex === undefined ? undefined : fromHex(hex))

/** Everybody that the configuration in force names. */
export function memberIncarnations(replica: Replica | undefined): ReadonlySet<string> {
  const { voters = [], outgoing = [], learners = [], learnersNext = [] } = replica?.consensus()?.membership ?? {}
  return new Set([...voters, ...outgoing, ...learners, ...learnersNext])
}
