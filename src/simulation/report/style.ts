/** How the report looks: one sheet, light and dark, system fonts only. */
export const STYLE = String.raw`
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --card: #ffffff; --ink: #1d1f24; --soft: #5d6470; --faint: #9aa1ad; --line: #e4e2dc;
  --accent: #2f5bd0; --ok: #1f7a4d; --bad: #c0272d; --bad-soft: #fbe9e7; --ok-soft: #e6f4ec;
  --leader: #2f5bd0; --candidate: #d97a06; --pre-candidate: #e9b44c; --follower: #b9c7dd; --forming: #d9d4c7; --down: #efeeea; --hatch: #cfcabf;
  --vote: #b3348b; --append: #2f5bd0; --heartbeat: #9aa1ad; --formation: #158a85; --fault: #c0272d;
}
@media (prefers-color-scheme: dark) { :root:not([data-theme='light']) {
  --paper: #14161a; --card: #1b1e24; --ink: #e8e9ec; --soft: #a2a9b6; --faint: #6b7280; --line: #2b2f37;
  --accent: #86a8ff; --ok: #5fc793; --bad: #ff7a74; --bad-soft: #3a1f20; --ok-soft: #17302a;
  --leader: #6a93ff; --candidate: #ff9f2e; --pre-candidate: #d9b35b; --follower: #3b4a63; --forming: #3a3833; --down: #191b20; --hatch: #34373e;
  --vote: #ff7fd0; --append: #86a8ff; --heartbeat: #6b7280; --formation: #4fd0c8; --fault: #ff7a74;
} }
:root[data-theme='dark'] {
  --paper: #14161a; --card: #1b1e24; --ink: #e8e9ec; --soft: #a2a9b6; --faint: #6b7280; --line: #2b2f37;
  --accent: #86a8ff; --ok: #5fc793; --bad: #ff7a74; --bad-soft: #3a1f20; --ok-soft: #17302a;
  --leader: #6a93ff; --candidate: #ff9f2e; --pre-candidate: #d9b35b; --follower: #3b4a63; --forming: #3a3833; --down: #191b20; --hatch: #34373e;
  --vote: #ff7fd0; --append: #86a8ff; --heartbeat: #6b7280; --formation: #4fd0c8; --fault: #ff7a74;
  color-scheme: dark;
}
:root[data-theme='light'] { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 14px/1.45 system-ui, -apple-system, 'Segoe UI', sans-serif; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 6px 16px; padding: 18px 24px 10px; }
h1 { font-size: 19px; font-weight: 650; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 12px; font-weight: 600; text-transform: uppercase; letter-spacing: 0.07em; color: var(--soft); margin: 0 0 8px; }
.facts { color: var(--soft); font-variant-numeric: tabular-nums; }
.verdict { margin: 0 24px 12px; padding: 9px 14px; border-radius: 8px; background: var(--ok-soft); color: var(--ok); font-weight: 550; }
.verdict.bad { background: var(--bad-soft); color: var(--bad); display: flex; justify-content: space-between; gap: 12px; align-items: center; }
.verdict b { font-weight: 700; }
main { padding: 0 24px 24px; display: grid; gap: 14px; grid-template-columns: minmax(0, 1fr) 330px; }
@media (max-width: 900px) { main { grid-template-columns: minmax(0, 1fr); } }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 12px; }
.stage { padding: 0; overflow: hidden; align-self: start; }
canvas { display: block; width: 100%; touch-action: none; }
#map { height: 46px; cursor: pointer; border-bottom: 1px solid var(--line); }
#lanes { cursor: crosshair; }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; padding: 10px 12px; border-top: 1px solid var(--line); }
.bar .grow { flex: 1; }
button, select { font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 7px; padding: 5px 10px; cursor: pointer; }
button:hover, select:hover { border-color: var(--faint); }
button[aria-pressed='true'] { background: var(--ink); color: var(--card); border-color: var(--ink); }
button.main { background: var(--accent); border-color: var(--accent); color: var(--card); min-width: 74px; font-weight: 600; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
#clock { font-variant-numeric: tabular-nums; font-weight: 600; min-width: 108px; text-align: right; }
[hidden] { display: none !important; }
input[type='range'] { flex: 1 1 160px; accent-color: var(--accent); min-width: 120px; }
.chips { display: flex; gap: 6px; flex-wrap: wrap; }
.chip { padding: 3px 10px; border-radius: 999px; font-size: 12.5px; display: inline-flex; gap: 6px; align-items: center; }
.chip i { width: 9px; height: 9px; border-radius: 50%; background: var(--c); }
.chip[aria-pressed='false'] { color: var(--faint); } .chip[aria-pressed='false'] i { opacity: 0.3; }
.chip[aria-pressed='true'] { background: var(--card); color: var(--ink); border-color: var(--faint); }
aside { display: grid; gap: 14px; align-content: start; min-width: 0; grid-template-columns: minmax(0, 1fr); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: var(--faint); font-size: 12px; padding: 0 6px 4px 0; }
td { padding: 4px 6px 4px 0; border-top: 1px solid var(--line); white-space: nowrap; }
td .dot { display: inline-block; width: 9px; height: 9px; border-radius: 3px; margin-right: 7px; background: var(--c); border: 1px solid color-mix(in srgb, var(--ink) 18%, transparent); }
#story { list-style: none; margin: 0; padding: 0; max-height: 420px; overflow: auto; }
#story li { overflow-wrap: anywhere; padding: 5px 8px; border-left: 2px solid var(--line); color: var(--soft); cursor: pointer; }
#story li time { color: var(--faint); font-variant-numeric: tabular-nums; margin-right: 8px; font-size: 12px; }
#story li.now { border-color: var(--accent); color: var(--ink); background: color-mix(in srgb, var(--accent) 8%, transparent); border-radius: 0 6px 6px 0; }
#story li.split { border-color: var(--candidate); color: var(--ink); } #story li.fault { border-color: var(--fault); } #story li.bad { border-color: var(--bad); color: var(--bad); font-weight: 600; }
.scroll { max-height: 300px; overflow: auto; }
#ballot p { margin: 0 0 6px; color: var(--soft); } #ballot .end { margin: 8px 0 0; }
.race { display: grid; grid-template-columns: 34px 1fr auto; gap: 8px; align-items: center; padding: 3px 0; }
.race span { display: flex; flex-wrap: wrap; gap: 4px; } .race em { font-style: normal; font-weight: 650; font-variant-numeric: tabular-nums; }
.race i { font-style: normal; font-size: 12px; padding: 1px 8px; border-radius: 999px; border: 1.5px solid var(--vote); color: var(--ink); }
.race i.own, .race i.came { background: var(--vote); color: var(--card); }
.race i.away { border-style: dashed; } .race i.lost { border-color: var(--fault); color: var(--fault); text-decoration: line-through; }
#which { font: inherit; font-size: 12.5px; color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 999px; padding: 3px 12px; width: 220px; min-width: 0; flex: none; }
.legend { display: grid; gap: 6px; color: var(--soft); font-size: 13px; }
.legend > span { display: grid; grid-template-columns: 18px 1fr; gap: 8px; align-items: start; }
.legend i { width: 14px; height: 14px; border-radius: 4px; background: var(--c); margin-top: 3px; border: 1px solid color-mix(in srgb, var(--ink) 15%, transparent); }
.legend b { color: var(--ink); font-weight: 600; }
kbd { font: 12px ui-monospace, monospace; border: 1px solid var(--line); border-bottom-width: 2px; border-radius: 5px; padding: 1px 5px; background: var(--paper); color: var(--ink); }
footer { padding: 0 24px 24px; color: var(--faint); font-size: 12.5px; }
code { font: 12.5px ui-monospace, monospace; background: color-mix(in srgb, var(--ink) 6%, transparent); padding: 2px 6px; border-radius: 5px; user-select: all; }
#tip { position: fixed; pointer-events: none; background: var(--ink); color: var(--paper); border-radius: 7px; padding: 6px 10px; font-size: 12.5px; max-width: 340px; opacity: 0; transition: opacity 0.1s; z-index: 9; }
`
