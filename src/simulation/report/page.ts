/**
 * The picture of a run: one self-contained page, no network. Swim lanes over time, roles and terms as colours, frames as
 * arrows, faults as bars, the broken invariant as a line, and a story in sentences beside it.
 */
import type { Recorder } from '../recorder.ts'
import type { FailedExpectation } from '../scenario.ts'
import { SCRIPT } from './script.ts'
import { STYLE } from './style.ts'

export interface ReportRun {
  readonly title: string
  readonly recorder: Recorder
  readonly virtualMs: number
  /** Of a scenario: those of its expectations that did not hold, and how many there were. */
  readonly failures?: readonly FailedExpectation[]
  readonly expectations?: number
  /** The command that shows this run again. */
  readonly replay: string
}

const count = (value: number): string => value.toLocaleString('en')
const plural = (value: number, what: string): string => `${count(value)} ${what}${value === 1 ? '' : 's'}`
const round = (ms: number): number => Math.round(ms * 1_000) / 1_000

export function reportPage(run: ReportRun): string {
  const { recorder, title, virtualMs, replay } = run
  const elections = recorder.marks.filter((mark) => mark.type === 'role' && mark.role === 'leader').length
  const dropped = recorder.framesDropped === 0 ? '' : ` (${count(recorder.framesDropped)} later ones are not kept)`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} · quorate simulate</title>
<style>${STYLE}</style>
</head>
<body>
<header>
  <h1>${escape(title)}</h1>
  <span class="facts">${(virtualMs / 1_000).toFixed(1)} s of cluster time · ${count(recorder.frames.length)} frames${dropped} · ${plural(elections, 'election')} · ${done(recorder)}</span>
  <span style="flex:1"></span>
  <button id="theme" title="Light or dark (T)">Light / dark</button>
</header>
${verdict(run)}
<main>
  <section class="card stage" aria-label="Time line">
    <canvas id="map" aria-label="The whole run; click to go there"></canvas>
    <canvas id="lanes" tabindex="0" role="img" aria-label="One lane a machine: colours are roles, arrows are frames"></canvas>
    <div class="bar">
      <button id="play" class="main" title="Space">Play</button>
      <button id="back" title="Arrow left" aria-label="Previous event">◀</button>
      <button id="next" title="Arrow right" aria-label="Next event">▶</button>
      <input id="scrub" type="range" min="0" max="10000" value="0" aria-label="Moment">
      <span id="clock" aria-live="off">0 s</span>
      <select id="speed" aria-label="Speed">
        <option value="1">real time</option><option value="0.1" selected>1/10</option><option value="0.01">1/100</option><option value="0.001">1/1000</option><option value="10">10 ×</option>
      </select>
      <button id="in" title="+" aria-label="Zoom in">+</button><button id="out" title="-" aria-label="Zoom out">−</button><button id="all" title="0">All</button>
    </div>
    <div class="bar">
      <button id="frames" aria-pressed="true" title="M">Messages</button>
      <span id="chips" class="chips"></span>
      <span class="grow facts" id="density"></span>
      <span id="nodes" class="chips"></span>
    </div>
  </section>
  <aside>
    <section class="card"><h2>At this moment</h2>
      <div class="scroll"><table><thead><tr><th>machine</th><th>role</th><th>term</th><th>config</th></tr></thead><tbody id="now"></tbody></table></div>
    </section>
    <section class="card" id="ballots" hidden><h2>Votes</h2><div id="ballot" aria-live="polite"></div></section>
    <section class="card"><h2>What happens</h2><ol id="story" aria-label="Events around this moment"></ol></section>
    <section class="card"><h2>How to read it</h2>${legend(recorder.names)}</section>
  </aside>
</main>
<footer>Again: <code>${escape(replay)}</code></footer>
<div id="tip" role="tooltip"></div>
<script type="application/json" id="data">${embedded(run)}</script>
<script>${SCRIPT}</script>
</body>
</html>
`
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escape = (text: string): string => text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character]!)

/** How much was done to the world, and by whom. */
function done({ faults }: Recorder): string {
  const verbs = faults.filter(({ isVerb }) => isVerb).length
  const drawn = faults.length - verbs
  return [
    ...(verbs === 0 ? [] : [plural(verbs, 'verb')]),
    ...(verbs > 0 && drawn === 0 ? [] : [plural(drawn, 'fault')])
  ].join(' · ')
}

function verdict({ recorder, failures = [], expectations = 0 }: ReportRun): string {
  const bad = [
    ...recorder.violations.slice(0, 1).map(({ invariant, atMs, node, detail }) => {
      const where = node === '' ? '' : `${escape(node)}: `
      return `<b>${escape(invariant)}</b> is broken at ${atMs.toFixed(3)} ms. ${where}${escape(recorder.named(detail))}`
    }),
    ...failures.map(
      ({ line, text, atMs, instead }) =>
        `Line ${line}, <b>${escape(text)}</b>, does not hold at ${atMs.toFixed(3)} ms: ${escape(instead)}`
    )
  ]
  if (bad.length > 0) {
    return `<p class="verdict bad"><span>${bad.join('<br>')}</span><button id="jump" title="V">Show it</button></p>`
  }
  const also =
    expectations === 0
      ? ''
      : expectations === 1
        ? ', and the one expectation'
        : `, and all ${expectations} expectations`
  return `<p class="verdict">Every invariant held after every event of this run${also}.</p>`
}

const ROLES: readonly (readonly [colour: string, name: string, meaning: string])[] = [
  ['forming', 'forming', 'no cluster yet: all founders have to sign one set'],
  ['follower', 'follower', 'takes the log of a leader, or waits for one'],
  ['pre-candidate', 'pre-candidate', 'misses the leader and asks whether it would win'],
  [
    'candidate',
    'candidate',
    'has voted for itself and asks for votes; two at once may split them, and then nobody wins the term'
  ],
  ['leader', 'leader', 'a majority voted for it: at most one a term']
]

const legend = (names: readonly string[]): string => `<div class="legend">${ROLES.map(
  ([colour, name, meaning]) =>
    `<span><i style="--c:var(--${colour})"></i><span><b>${name}</b> ${escape(meaning)}</span></span>`
).join('')}
<span><i style="--c:linear-gradient(90deg, hsl(277 60% 55%), hsl(344 60% 55%), hsl(51 60% 55%))"></i><span><b>line below</b> another colour for each term</span></span>
<span><span style="text-align:center">◆</span><span><b>diamond</b> a config version is applied</span></span>
<span><span style="text-align:center;color:var(--vote)">━</span><span><b>thick arrow</b> a vote that is granted; dashed: refused</span></span>
<span><i style="--c:var(--fault)"></i><span><b>bar above the lanes</b> a fault, or a verb of a scenario, as long as it lasts; a tick on the lanes that it names</span></span>
<span><span style="text-align:center;color:var(--fault)">×</span><span><b>cross</b> the network lost this frame</span></span>
${lanes(names)}
<div>Drag to move through time, wheel to zoom. <kbd>Space</kbd> play, <kbd>←</kbd> <kbd>→</kbd> events, <kbd>+</kbd> <kbd>−</kbd> <kbd>0</kbd> zoom, <kbd>M</kbd> messages, <kbd>V</kbd> violation, <kbd>T</kbd> light or dark.</div>
</div>`

const said = (list: readonly string[], words: string): string =>
  list.length === 0 ? '' : `<div><b>${escape(list.join(', '))}</b> ${words}</div>`

/** Lanes that are no machines of the plan. */
function lanes(names: readonly string[]): string {
  const copies = names.filter((name) => /^c\d/.test(name))
  const clones = names.filter((name) => /^n\d+c/.test(name))
  return (
    said(copies, 'came with a copy of a token that belongs to another machine: at most one of its holders may get in') +
    said(clones, 'is the second life of a disk that was copied: same key, same memory, another machine')
  )
}

/** The data as JSON that cannot end its script element. */
function embedded({ recorder, virtualMs, failures = [] }: ReportRun): string {
  const kinds = [...new Set(recorder.frames.map(({ kind }) => kind))].toSorted()
  const place = new Map(kinds.map((kind, i) => [kind, i]))
  const frames = recorder.frames.map(({ kind, from, to, sentMs, arriveMs, term }) => [
    place.get(kind)!,
    from,
    to,
    round(sentMs),
    arriveMs === undefined ? null : round(arriveMs),
    term
  ])
  const { marks, violations, names } = recorder
  const faults = recorder.faults.map((fault) => ({ ...fault, untilMs: fault.untilMs ?? virtualMs }))
  const all = { names, kinds, virtualMs, frames, marks, faults, violations, failures }
  return recorder.named(JSON.stringify(all)).replaceAll('<', String.raw`\u003c`)
}
