/** Of every page. Colours of layers are told apart in light and dark; what a colour says is in words too. */
export const STYLE = `
:root { color-scheme: light dark; --back: #fff; --fore: #1c2024; --faint: #5b6470; --line: #d5dae0; --box: #f5f7f9; --ok: #1a7f37; --warning: #8a5a00; --blocker: #c11c2b; --bar: #4978c6; --bar2: #9db9e6;
 --c0: #b9d3f5; --c1: #c5e6c0; --c2: #f6d7ab; --c3: #dccbf2; --c4: #f5c6cf; --c5: #bfe5e3; --c6: #e9e2a9; --c7: #d9cfc5; --boot: #f2bfa0; --tables: #c9cfd6; --free: #eceff2; --other: #dfe3e8; --ink: #1c2024; }
@media (prefers-color-scheme: dark) {
 :root { --back: #14171a; --fore: #e4e8ec; --faint: #9aa4af; --line: #363d45; --box: #1d2125; --ok: #57c472; --warning: #e2b04a; --blocker: #ff7b82; --bar: #5f8fdd; --bar2: #34507f;
 --c0: #25456f; --c1: #27522f; --c2: #63451b; --c3: #4a3569; --c4: #6b2f3c; --c5: #1f5553; --c6: #57521f; --c7: #4d443b; --boot: #70401f; --tables: #444b53; --free: #22272c; --other: #30363d; --ink: #eef1f4; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 80rem; background: var(--back); color: var(--fore); font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; } h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
p { margin: .4rem 0; } .faint, figcaption { color: var(--faint); }
p, li, td, dd, figcaption { overflow-wrap: anywhere; } td:first-child { min-width: 9rem; }
figure { margin: 0; } .wide { overflow-x: auto; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .8rem 0; } dt { color: var(--faint); } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; } caption { text-align: left; color: var(--faint); padding-bottom: .3rem; }
th, td { text-align: left; padding: .22rem .6rem .22rem 0; border-bottom: 1px solid var(--line); vertical-align: top; } thead th { color: var(--faint); font-weight: 600; }
th.n, td.n { text-align: right; white-space: nowrap; } td.bar { min-width: 8rem; width: 25%; vertical-align: middle; }
svg.bar { display: block; width: 100%; height: .8rem; } svg.bar .first { fill: var(--bar); } svg.bar .second { fill: var(--bar2); } svg.bar .rest { fill: var(--free); }
svg.treemap { display: block; width: 100%; min-width: 46rem; height: auto; font: 11px system-ui, "DejaVu Sans", sans-serif; }
svg.treemap text { fill: var(--ink); pointer-events: none; } svg.treemap rect { stroke: var(--back); stroke-width: 1px; } svg.treemap rect.open { fill-opacity: .55; }
.c0 { fill: var(--c0); } .c1 { fill: var(--c1); } .c2 { fill: var(--c2); } .c3 { fill: var(--c3); } .c4 { fill: var(--c4); } .c5 { fill: var(--c5); } .c6 { fill: var(--c6); } .c7 { fill: var(--c7); }
.boot { fill: var(--boot); } .tables { fill: var(--tables); } .free { fill: var(--free); } .other { fill: var(--other); }
ul.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; margin: .5rem 0; } ul.legend svg { width: .8rem; height: .8rem; margin-right: .4rem; vertical-align: -.08rem; }
.path { border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem; margin: .6rem 0; break-inside: avoid; } .path h3 { margin: 0 0 .5rem; }
.path ol { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; align-items: stretch; gap: .5rem 1.5rem; }
.step { position: relative; flex: 1 1 9.5rem; background: var(--box); border: 1px solid var(--line); border-top: 4px solid var(--ok); border-radius: 4px; padding: .35rem .55rem; }
.step + .step::before { content: "\\2192" / ""; position: absolute; left: -1.3rem; top: 30%; color: var(--faint); }
.step .warning { color: var(--warning); } .step .blocker { color: var(--blocker); } .step b { display: block; } .step span { display: block; font-size: .86rem; }
.step.warning { border-top-color: var(--warning); } .step.blocker { border-top-color: var(--blocker); } .step.unknown { border-top-color: var(--line); }
.mark { font-weight: 600; } .mark.ok { color: var(--ok); } .mark.note { color: var(--faint); } .mark.warning { color: var(--warning); } .mark.blocker { color: var(--blocker); }
ul.findings { list-style: none; padding: 0; margin: 0; } ul.findings > li { padding: .5rem 0; border-bottom: 1px solid var(--line); break-inside: avoid; }
code, pre { font: .88rem/1.4 ui-monospace, "DejaVu Sans Mono", monospace; } pre { background: var(--box); border: 1px solid var(--line); border-radius: 4px; padding: .5rem .7rem; margin: .35rem 0; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; user-select: all; }
details > summary { cursor: pointer; color: var(--faint); margin: .5rem 0; }
@media (max-width: 40rem) { body { padding: .8rem; } dl.facts { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .4rem; } .path ol { flex-direction: column; } .step { flex-basis: auto; } .step + .step::before { content: "\\2193" / ""; left: 1rem; top: -1.1rem; font-size: .8rem; line-height: 1; } .path ol { gap: 1.1rem; } }
@media print { body { max-width: none; padding: 0; } svg, .step, pre { print-color-adjust: exact; -webkit-print-color-adjust: exact; } svg.treemap { min-width: 0; } details::details-content { content-visibility: visible; height: auto; } }
`;
