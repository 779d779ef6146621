/**
 * What the transport asks of admission: bytes to show, and a verdict on the bytes that the peer showed.
 *
 * The transport carries hellos and verdicts without reading them. Every method is synchronous and may throw; a throw counts as
 * a refusal, never as a crash. `remotePeerId` was proved by the secure channel before anything is judged.
 */
import type { Admitted, Refusal } from '../membership/admission.ts'

export type { Admitted, Refusal } from '../membership/admission.ts'

export type Judgement =
  | { readonly type: 'admitted'; readonly admitted: Admitted; readonly verdict: Uint8Array }
  | { readonly type: 'refused'; readonly refusal: Refusal; readonly verdict: Uint8Array }
  /** We hold no genesis yet: wait for the peer's verdict, which may bring it, and judge again. */
  | { readonly type: 'undecided' }

export interface AdmissionGate {
  /** Bytes of our hello, made fresh for each exchange. At most 64 KiB. */
  hello(): Uint8Array
  /** Judges the peer's hello. The verdict's bytes are what the peer will read; at most 64 KiB. */
  judge(hello: Uint8Array, remotePeerId: string): Judgement
  /** Reads the peer's verdict about us; may learn the genesis from it. */
  readVerdict(
    verdict: Uint8Array,
    remotePeerId: string
  ): { readonly ok: true } | { readonly ok: false; readonly refusal: Refusal }
}
