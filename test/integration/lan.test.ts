/** An air-gapped LAN: five machines (network namespaces) on one switch, with no router, no DNS, nothing but their tokens. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLan, type Lan, netnsUnavailable } from './netns.ts'
import { founding, Yard } from './processes.ts'

const unavailable = netnsUnavailable()
const title = unavailable === undefined ? 'an air-gapped LAN' : `an air-gapped LAN (skipped: ${unavailable})`

describe.skipIf(unavailable !== undefined)(title, () => {
  let yard: Yard
  let lan: Lan

  beforeEach(async () => {
    yard = await Yard.open()
    lan = createLan({ hosts: 5 })
  })

  afterEach(async () => {
    await yard.close()
    lan.remove()
  })

  it('has no default route', () => {
    for (const host of lan.hosts) expect(host.ip('route', 'show', 'default')).toBe('')
  })

  it('forms a cluster of five by mDNS alone', async () => {
    const { tokens } = await founding('air-gapped', 5)
    const nodes = lan.hosts.map(({ name }, i) => yard.start(`n${i + 1}`, { token: tokens[i]!, namespace: name }))
    const ready = await Promise.all(nodes.map((node) => node.ready()))
    expect(new Set(ready.map(({ cluster }) => cluster)).size).toBe(1)
    expect(new Set(ready.map(({ configHash }) => configHash)).size).toBe(1)
    const sources = nodes.flatMap(({ events }) =>
      events.flatMap((event) => (event.event === 'peer' && event.status === 'discovered' ? [event.source] : []))
    )
    // Nobody had a seed or a cache: who was not heard by mDNS dialled first, or was named by a member.
    expect(sources.filter((source) => source === 'seed' || source === 'cache')).toEqual([])
    expect(sources).toContain('mdns')
    for (const node of nodes) expect(await node.stop()).toBe(0)
  })

  it('goes on when the leader’s cable is pulled, and takes it back when it is plugged in again', async () => {
    const { tokens } = await founding('cable', 3)
    const nodes = tokens.map((token, i) => yard.start(`n${i + 1}`, { token, namespace: lan.hosts[i]!.name }))
    const ready = await Promise.all(nodes.map((node) => node.ready()))
    const leader = nodes.findIndex((_, i) => ready[i]!.node === ready[0]!.leader)
    const others = nodes.filter((_, i) => i !== leader)
    const seen = others.map(({ events }) => events.length)
    const old = nodes[leader]!
    const before = old.events.length

    lan.hosts[leader]!.plug(false)
    await Promise.race(
      others.map((node, i) => node.until('a new leader', (event) => event.event === 'writable', { from: seen[i]! }))
    )
    await old.until('stepping down', (event) => event.event === 'leader' && event.leader === null, { from: before })

    lan.hosts[leader]!.plug(true)
    await old.until(
      'following the new leader',
      (event) => event.event === 'leader' && event.leader !== null && event.leader !== event.node,
      { from: before }
    )
  })
})
