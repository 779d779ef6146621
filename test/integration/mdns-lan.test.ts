/** mDNS between real processes in network namespaces: an air-gapped LAN, libp2p's own nodes, cables and cards pulled. */
import { afterEach, describe, expect, it } from 'vitest'
import { freshTag, MdnsProcess } from './mdns-process.ts'
import { createLan, netnsUnavailable } from './netns.ts'
import type { Lan, LanInit } from './netns.ts'

const unavailable = netnsUnavailable()
if (unavailable !== undefined) process.stderr.write(`skipped: mDNS in namespaces: ${unavailable}\n`)

const IPV6_OFF = '/proc/sys/net/ipv6/conf/eth0/disable_ipv6'

let lans: Lan[] = []
let processes: MdnsProcess[] = []

const lanOf = (init: LanInit): Lan => {
  const lan = createLan(init)
  lans.push(lan)
  return lan
}

const start = (init: ConstructorParameters<typeof MdnsProcess>[0]): MdnsProcess => {
  const child = new MdnsProcess(init)
  processes.push(child)
  return child
}

afterEach(async () => {
  await Promise.all(processes.map((child) => child.kill()))
  for (const lan of lans) lan.remove()
  lans = []
  processes = []
})

describe.skipIf(unavailable !== undefined)('on a LAN', () => {
  it('five machines without any route all find all, and each address can be dialled', async () => {
    const lan = lanOf({ hosts: 5 })
    const tag = freshTag()
    expect(lan.hosts[0]!.ip('route')).not.toContain('default')
    const nodes = lan.hosts.map((host, i) => start({ host, seed: i + 1, tag }))
    await Promise.all(nodes.map((node) => node.started()))
    await Promise.all(nodes.map((node) => node.knows(...nodes.filter((other) => other !== node))))
    for (const node of nodes) {
      for (const [i, other] of nodes.entries()) {
        if (other !== node) expect(node.known.get(other.peerId)).toEqual([`/ip4/${lan.hosts[i]!.address}/tcp/4001`])
      }
      expect(node.alarms()).toEqual([])
    }
    const answer = lan.hosts[4]!.exec('bash', '-c', `exec 3<>/dev/tcp/${lan.hosts[0]!.address}/4001; cat <&3`)
    expect(answer).toBe(nodes[0]!.peerId)
    // The last one says goodbye; one before is killed and says nothing.
    await nodes[4]!.stop()
    await nodes[0]!.until('the goodbye', () => !nodes[0]!.known.has(nodes[4]!.peerId))
    await nodes[3]!.kill()
    expect(nodes[0]!.known.has(nodes[3]!.peerId)).toBe(true)
  })

  it('addresses that are not private are found as well', async () => {
    const lan = lanOf({ hosts: 2, subnet: '11.77.0' })
    const tag = freshTag()
    const [a, b] = lan.hosts.map((host, i) => start({ host, seed: i + 1, tag })) as [MdnsProcess, MdnsProcess]
    await Promise.all([a.started(), b.started()])
    await Promise.all([a.knows(b), b.knows(a)])
    expect(a.known.get(b.peerId)).toEqual(['/ip4/11.77.0.2/tcp/4001'])
  })

  it.each([
    ['ours first', ['ours', 'vanilla']],
    ['libp2p first', ['vanilla', 'ours']]
  ] as const)('a plain libp2p node and ours find each other: %s', async (_name, kinds) => {
    // A plain node sends by the default route only.
    const lan = lanOf({ hosts: 2, defaultRoute: true })
    const tag = freshTag()
    const nodes: MdnsProcess[] = []
    for (const [i, kind] of kinds.entries()) {
      const node = start({ host: lan.hosts[i]!, kind, seed: i + 1, tag })
      nodes.push(node)
      await node.started()
    }
    const [first, second] = nodes as [MdnsProcess, MdnsProcess]
    await Promise.all([first.knows(second), second.knows(first)])
    expect(first.known.get(second.peerId)).toContain(`/ip4/${lan.hosts[1]!.address}/tcp/4001`)
    expect(second.known.get(first.peerId)).toContain(`/ip4/${lan.hosts[0]!.address}/tcp/4001`)
    const ours = nodes[kinds.indexOf('ours')]!
    const vanilla = nodes[kinds.indexOf('vanilla')]!
    // The plain node also announces 127.0.0.1; ours knows better.
    expect(ours.known.get(vanilla.peerId)).toHaveLength(1)
  })

  it('with an interface named, nothing leaves by any other', async () => {
    const lan = lanOf({ hosts: 2, defaultRoute: true })
    // On a slow machine the kernel is still soliciting IPv6 routers of the new interface when packets are counted.
    lan.hosts[0]!.exec('sh', '-c', `[ ! -e ${IPV6_OFF} ] || echo 1 > ${IPV6_OFF}`)
    const tag = freshTag()
    const watcher = start({ host: lan.hosts[1]!, seed: 9, tag })
    await watcher.started()
    const sent = (): number => Number(lan.hosts[0]!.exec('cat', '/sys/class/net/eth0/statistics/tx_packets'))
    const quiet = start({ host: lan.hosts[0]!, seed: 1, tag, interfaces: ['lo'] })
    const friend = start({ host: lan.hosts[0]!, seed: 2, tag, interfaces: ['127.0.0.1'], port: 4002 })
    await Promise.all([quiet.started(), friend.started()])
    await Promise.all([quiet.knows(friend), friend.knows(quiet)])
    expect(quiet.known.get(friend.peerId)).toEqual(['/ip4/127.0.0.1/tcp/4002'])
    await quiet.stop()
    await friend.until('the goodbye on lo', () => !friend.known.has(quiet.peerId))
    expect(watcher.known.size).toBe(0)
    // The kernel itself may answer ARP; mDNS would also be heard by the watcher.
    const before = sent()
    const other = start({ host: lan.hosts[0]!, seed: 3, tag, interfaces: ['lo'], port: 4003 })
    await other.knows(friend)
    expect(sent() - before).toBeLessThanOrEqual(2)
    expect(watcher.known.size).toBe(0)
    // And the same node on eth0 is heard: the watcher was not deaf.
    const loud = start({ host: lan.hosts[0]!, seed: 4, tag, interfaces: ['eth0'], port: 4004 })
    await loud.started()
    await watcher.knows(loud)
  })

  it('a network card that is replaced under the same address is spoken and heard on again', async () => {
    const lan = lanOf({ hosts: 2 })
    const tag = freshTag()
    const [a, b] = lan.hosts.map((host, i) => start({ host, seed: i + 1, tag })) as [MdnsProcess, MdnsProcess]
    await Promise.all([a.started(), b.started()])
    await Promise.all([a.knows(b), b.knows(a)])
    lan.hosts[1]!.removeCard()
    await b.until('it notices', () => b.known.size === 0)
    lan.hosts[1]!.insertCard()
    await Promise.all([a.knows(b), b.knows(a)])
    // Deaf or dumb would show here: a third one comes.
    const c = start({ host: lan.hosts[0]!, seed: 3, tag, port: 4003 })
    await c.started()
    await Promise.all([b.knows(c), c.knows(b)])
  })

  it('a kernel that does not let us join the group is named within seconds, and its change of mind as well', async () => {
    const lan = lanOf({ hosts: 2 })
    const tag = freshTag()
    const allowMemberships = (count: number): string =>
      lan.hosts[0]!.exec('bash', '-c', `echo ${count} > /proc/sys/net/ipv4/igmp_max_memberships`)
    allowMemberships(0)
    const [a, b] = lan.hosts.map((host, i) => start({ host, seed: i + 1, tag, interfaces: ['eth0'] })) as [
      MdnsProcess,
      MdnsProcess
    ]
    await a.until('the alarm', () => a.alarms().includes('multicast-blocked'))
    expect(a.lines.find(({ code }) => code === 'multicast-blocked')!.detail).toContain('eth0')
    expect(a.alarms()).toHaveLength(1)
    allowMemberships(20)
    await a.until('the end of the alarm', () => a.alarms().includes('multicast-restored'))
    await Promise.all([a.knows(b), b.knows(a)])
    expect(b.alarms()).toEqual([])
  })
})
