/**
 * Formation as seen by a node that cannot found: it came with a join token, so it has no seat, no vote and nothing to sign. All it
 * can do is learn that a cluster was founded, from a certificate that proves itself, whoever hands it over, and never unlearn it.
 */
import { invariant } from '../core/invariant.ts'
import { verifyCertificate } from './certificate.ts'
import { certificateClaims, foundingQuorum } from './core.ts'
import { sameSet } from './founding-set.ts'
import type {
  Formation,
  FormationCrypto,
  FormationEffects,
  FormationEvent,
  FormationInput,
  FormationStage,
  FormationState,
  FormationStatus,
  FoundingCertificate
} from './types.ts'

export interface WitnessInit {
  readonly foundingSize: number
  readonly state: FormationState
  readonly crypto: FormationCrypto
}

export const createWitness = (init: WitnessInit): Formation => new Witness(init)

/** Its only write. */
const LATCH = 1

class Witness implements Formation {
  readonly #init: WitnessInit
  #state: FormationState
  #announced = false

  constructor(init: WitnessInit) {
    this.#init = init
    this.#state = init.state
  }

  start(): FormationEffects {
    return this.#state.certificate === undefined ? effects({}) : this.#announce(this.#state.certificate)
  }

  step(input: FormationInput): FormationEffects {
    switch (input.type) {
      case 'message':
        return input.message.type === 'certificate' ? this.#see(input.message.certificate) : effects({})
      case 'certificate-seen':
        return this.#see(input.certificate)
      case 'persisted': {
        const { certificate } = this.#state
        const isLatched = certificate !== undefined && !this.#announced && input.write >= LATCH
        return isLatched ? this.#announce(certificate) : effects({})
      }
      case 'tick':
      case 'founder-connected':
      case 'founder-disconnected':
      case 'signed':
        return effects({})
    }
  }

  #see(certificate: FoundingCertificate): FormationEffects {
    const { foundingSize, crypto } = this.#init
    const known = this.#state.certificate
    if (known !== undefined && sameSet(known.set, certificate.set)) return effects({})
    if (!verifyCertificate(certificate, foundingSize, foundingQuorum(foundingSize), crypto)) return effects({})
    if (known !== undefined) return effects({ events: [{ type: 'rival-certificate', certificate }] })
    this.#state = { ...this.#state, certificate }
    return effects({ write: { id: LATCH, state: this.#state } })
  }

  #announce(certificate: FoundingCertificate): FormationEffects {
    invariant(!this.#announced, 'a latch is announced once')
    this.#announced = true
    return effects({ formed: certificate, events: [{ type: 'formed', term: certificate.term }] })
  }

  stage(): FormationStage {
    if (this.#announced) return 'formed'
    return this.#state.certificate === undefined ? 'gathering' : 'agreeing'
  }

  status(): FormationStatus {
    const { certificate } = this.#state
    return {
      stage: this.stage(),
      term: this.#state.term,
      present: [],
      missingSeats: certificate === undefined ? Array.from({ length: this.#init.foundingSize }, (_, i) => i + 1) : [],
      seen: [...new Set(certificateClaims(certificate).map(({ incarnation }) => incarnation))],
      conflict: undefined
    }
  }
}

function effects(asked: {
  readonly write?: FormationEffects['write']
  readonly formed?: FoundingCertificate
  readonly events?: readonly FormationEvent[]
}): FormationEffects {
  return {
    write: asked.write,
    send: [],
    sendAfter: [],
    sendAfterWrite: 0,
    sign: undefined,
    formed: asked.formed,
    events: asked.events ?? [],
    deadline: undefined
  }
}
