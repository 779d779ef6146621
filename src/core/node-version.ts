/**
 * The first module that each entry of the library evaluates: on a Node.js that is too old it throws one sentence, before anything
 * fails for a reason that nobody would understand. It imports nothing, so that nothing comes before it. The command has the same
 * door in bin/quorate.js.
 */
/** The oldest Node.js that Quorate runs on: major and minor version. */
export const NODE_OLDEST = [22, 12] as const

/** Undefined when it is new enough. */
export function tooOld(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > NODE_OLDEST[0] || (major === NODE_OLDEST[0] && minor >= NODE_OLDEST[1])) return undefined
  return `quorate needs Node.js ${NODE_OLDEST.join('.')} or newer; this is v${version}`
}

const sentence = tooOld(process.versions.node)
if (sentence !== undefined) throw Object.assign(new Error(sentence), { code: 'ERR_NODE_TOO_OLD' })
