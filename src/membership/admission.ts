/** The door: what travels (`hello.ts`), why somebody is refused (`refusal.ts`), who decides (`judge.ts`). The transport carries it. */
export {
  decodeHello,
  decodeVerdict,
  encodeHello,
  encodeVerdict,
  HELLO_BYTES_MAX,
  HELLO_VERSION,
  VERDICT_BYTES_MAX
} from './hello.ts'
export type { Hello } from './hello.ts'
export { AdmissionRefusedError, nextStepOf, printable, refusal, REFUSAL_CODES } from './refusal.ts'
export type { Refusal, RefusalCode } from './refusal.ts'
export { judgeHello } from './judge.ts'
export type { AdmissionContext, Admitted } from './judge.ts'
