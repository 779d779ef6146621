/** What a node has when nobody says otherwise. */
import type { Logger } from './types.ts'

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** What a logger throws (a worker of it has exited, a disk is full) must not reach the protocol, and there is nobody to tell. */
export function carefulLogger(logger: Logger): Logger {
  const carefully =
    (level: keyof Logger) =>
    (details: object, message: string): void => {
      try {
        logger[level](details, message)
      } catch {
        // A line is lost.
      }
    }
  return {
    debug: carefully('debug'),
    info: carefully('info'),
    warn: carefully('warn'),
    error: carefully('error')
  }
}

/** Shown to peers for diagnosis; nothing decides on it. */
export const agent = 'quorate/0.1.0'
