/** Ports for whatever a benchmark starts, below those that Linux gives to whoever asks for any. */

const LOWEST = 20_000
const BLOCK = 120
const BLOCKS = 100

let block = Math.floor(Math.random() * BLOCKS)

/** The first of 120 ports that this process has not given away lately: not in the last hundred times. */
export function portsFrom(): number {
  block = (block + 1) % BLOCKS
  return LOWEST + block * BLOCK
}
