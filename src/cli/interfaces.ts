/** `--interface` names what may not exist yet, and is used as soon as it does; a name that was mistyped never will be. */
import { networkInterfaces } from 'node:os'

export interface UnknownInterface {
  readonly name: string
  /** What there is instead. */
  readonly present: readonly string[]
}

/** The names and addresses that this machine does not have now. */
export function unknownInterfaces(wanted: readonly string[], here = networkInterfaces()): readonly UnknownInterface[] {
  const present = Object.keys(here)
  const addresses = Object.values(here).flatMap((list = []) => list.map(({ address }) => address))
  const known = new Set([...present, ...addresses])
  return wanted.filter((name) => !known.has(name)).map((name) => ({ name, present }))
}
