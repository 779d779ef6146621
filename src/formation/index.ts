export type * from './types.ts'
export { decodeFormationMessage, encodeFormationMessage, FormationMessageError } from './messages.ts'
export type { FormationMessage } from './messages.ts'
export { decodeCertificate, decodeFoundingSet, encodeCertificate, encodeFoundingSet } from './certificate-codec.ts'
export { decodeFormationState, encodeFormationState, FormationStateError, initialFormationState } from './state.ts'
import type { Formation, FormationInit } from './types.ts'

/** Makes the protocol of one incarnation; nothing happens before `start`. */
export declare function createFormation(init: FormationInit): Formation
