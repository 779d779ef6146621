/**
 * Writes to zmq-raft for bench/compare.ts, told over the channel to its parent which members to ask. Runs on the old Node that
 * the package needs, so it is plain JavaScript of that time.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'

const require = createRequire(join(process.argv[2], 'package.json'))
const raft = require('zmq-raft')
const clients = new Map()
const ANSWER_MS_MAX = 100
const ASK_EVERY_MS = 4

function clientOf(url) {
  if (!clients.has(url)) clients.set(url, new raft.client.ZmqRaftPeerClient(url, { timeout: ANSWER_MS_MAX }))
  return clients.get(url)
}

const sleep = (ms) => new Promise((resolve) => void setTimeout(resolve, ms))

let round = 0

/** Until the first of these accepted a write; who does not lead says so and is asked anew. */
async function ask(url, mine) {
  while (mine === round) {
    try {
      await clientOf(url).requestUpdate(raft.utils.id.genIdent(), Buffer.alloc(16))
      if (mine !== round) return
      round++
      process.send({ url, at: performance.timeOrigin + performance.now() })
    } catch {
      await sleep(ASK_EVERY_MS)
    }
  }
}

process.on('message', (urls) => {
  round++
  for (const [url, client] of clients) {
    if (urls.includes(url)) continue
    client.close()
    clients.delete(url)
  }
  for (const url of urls) void ask(url, round)
})
process.once('disconnect', () => process.exit())
