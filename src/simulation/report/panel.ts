/** What stands beside the canvas and is true at this moment: who is what, who voted for whom, and the story around it. */
export const PANEL = String.raw`
// ── The panel beside it ──
const stateAt = (node) => segments[node][Math.max(0, Math.min(segments[node].length - 1, lowerBound(segments[node], now + 1e-6, (s) => s.to)))]
const RANK = { leader: 0, candidate: 1, 'pre-candidate': 2, follower: 3, forming: 4, down: 5 }
let tableText = '', storyAt = -1, storyFrom = -1, ballotText = ''
// A list of ten thousand rows is slow to lay out, and nobody scrolls that far.
const STORY_ROWS = 2000
const fillStory = (list, from) => {
  list.textContent = ''
  for (const e of story.slice(from, from + STORY_ROWS)) {
    const item = document.createElement('li'), when = document.createElement('time')
    item.className = e.kind
    when.textContent = (e.atMs / 1000).toFixed(4)
    item.append(when, e.text)
    item.onclick = () => go(e.atMs)
    list.append(item)
  }
}
const panel = () => {
  $('clock').textContent = (now / 1000).toFixed(4) + ' s'
  if (document.activeElement !== $('scrub')) $('scrub').value = String(Math.round((now / endMs) * 10000))
  const order = names.length <= MANY ? names.map((_, i) => i) : shownLanes.toSorted((a, b) => RANK[stateAt(a).role] - RANK[stateAt(b).role] || a - b)
  const rows = order.map((node) => {
    const name = names[node], s = stateAt(node), version = configs[node].filter((m) => m.atMs <= now).length ? configs[node].filter((m) => m.atMs <= now).at(-1).version : '–'
    const role = s.role === 'down' ? 'down' : s.paused ? 'stands still' : s.role
    return '<tr><td><span class="dot" style="--c:var(--' + s.role + ')"></span>' + name + '</td><td>' + role + '</td><td>' + (s.term || '–') + '</td><td>' + version + '</td></tr>'
  }).join('')
  if (rows !== tableText) { $('now').innerHTML = rows; tableText = rows }
  const votes = ballot()
  if (votes !== ballotText) { $('ballot').innerHTML = votes; $('ballots').hidden = votes === ''; ballotText = votes }
  const at = lowerBound(story, now + 1e-6, (e) => e.atMs) - 1
  if (at === storyAt) return
  storyAt = at
  const list = $('story'), from = story.length <= STORY_ROWS ? 0 : Math.max(0, Math.min(story.length - STORY_ROWS, at - STORY_ROWS / 2))
  if (storyFrom === -1 || (from !== storyFrom && Math.abs(from - storyFrom) > STORY_ROWS / 4)) fillStory(list, storyFrom = from)
  const last = list.querySelector('.now')
  if (last) last.classList.remove('now')
  const current = list.children[at - storyFrom]
  if (current) current.classList.add('now')
  if (current) list.scrollTop = Math.max(0, current.offsetTop - list.offsetTop - 150)
}

// ── Who voted for whom, as far as it is known at this moment ──
const granted = frames.filter((f) => kinds[f[0]] === 'vote-granted')
const campaigns = marks.filter((m) => m.type === 'role' && m.role === 'candidate').sort((a, b) => a.atMs - b.atMs)
const crowned = new Map(marks.filter((m) => m.type === 'role' && m.role === 'leader').map((m) => [m.term, m]))
const ballot = () => {
  const begun = campaigns.slice(0, lowerBound(campaigns, now + 1e-6, (m) => m.atMs))
  if (begun.length === 0) return ''
  const term = begun.reduce((most, m) => Math.max(most, m.term), 0)
  const winner = crowned.get(term), won = winner && winner.atMs <= now + 1e-6
  const who = [...new Set(begun.filter((m) => m.term === term).map((m) => m.node))]
  const lines = who.map((node) => {
    const mine = granted.filter((f) => f[2] === node && f[5] === term && f[3] <= now + 1e-6)
    const came = [...new Set(mine.filter((f) => f[4] !== null && f[4] <= now + 1e-6).map((f) => f[1]))]
    const away = [...new Set(mine.filter((f) => f[4] !== null && f[4] > now + 1e-6).map((f) => f[1]))].filter((v) => !came.includes(v))
    const lost = [...new Set(mine.filter((f) => f[4] === null).map((f) => f[1]))].filter((v) => !came.includes(v) && !away.includes(v))
    const mark = (kind, title) => (v) => '<i class="' + kind + '" title="' + names[v] + title + '">' + names[v] + '</i>'
    const all = mark('own', ' voted for itself')(node) + came.filter((v) => v !== node).map(mark('came', ' voted for it')).join('') + away.map(mark('away', ': its vote is on the way')).join('') + lost.map(mark('lost', ': its vote was lost')).join('')
    return '<div class="race"><b>' + names[node] + '</b><span>' + all + '</span><em>' + (1 + came.filter((v) => v !== node).length) + '</em></div>'
  })
  const end = won ? names[winner.node] + ' has more than half of all votes and leads term ' + term + '.' : crowned.has(term) ? 'Nobody has more than half of all votes yet.' : 'Nobody gets more than half of all votes. A machine votes once in a term, so the next attempt is another term.'
  return '<p>Term ' + term + '</p>' + lines.join('') + '<p class="end">' + end + '</p>'
}
`
