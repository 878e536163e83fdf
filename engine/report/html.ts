const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text as it may stand in HTML, between tags and in quoted attributes. */
export const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!)

/** One self-contained page: nothing it shows comes from elsewhere; light and dark follow the reader's system. */
export const page = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; media-src data:">
<title>${escape(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`

const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --faint: #59636e; --paper: #ffffff; --panel: #f6f8fa; --rule: #d1d9e0;
  --s0: #0b62c4; --s1: #b3400f; --s2: #1a7f4b; --s3: #7a3cc2; --s4: #8a6100; --s5: #b0286e; --wrong: #a40e26; --missing: #8a5a00; --added: #0550ae; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --faint: #9da7b1; --paper: #0f1318; --panel: #171c23; --rule: #343b44;
  --s0: #6cb0ff; --s1: #ff9d6b; --s2: #5fd397; --s3: #c9a2ff; --s4: #e3b341; --s5: #ff8ac2; --wrong: #ff8b94; --missing: #e3b341; --added: #79c0ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 0.25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 0.75rem; }
p { margin: 0.5rem 0; max-width: 48rem; }
.note, figcaption, .tick, .label { color: var(--faint); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 0.35rem 0.75rem; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th { font-weight: 600; }
.scroll { overflow-x: auto; }
figure { margin: 1rem 0; padding: 1rem; background: var(--panel); border: 1px solid var(--rule); border-radius: 6px; }
figcaption { margin-bottom: 0.5rem; }
.chart { width: 100%; height: auto; display: block; font: 12px system-ui, sans-serif; }
.chart text { fill: var(--faint); }
.grid { stroke: var(--rule); stroke-width: 1; }
.heat { fill: var(--s0); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
${[0, 1, 2, 3, 4, 5].map((i) => `.series-${i} { stroke: var(--s${i}); } circle.series-${i} { fill: var(--s${i}); stroke: none; }`).join('\n')}
.series-1 { stroke-dasharray: 7 3; } .series-2 { stroke-dasharray: 2 3; } .series-3 { stroke-dasharray: 9 3 2 3; } .series-4 { stroke-dasharray: 4 2; } .series-5 { stroke-dasharray: 12 4; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; padding: 0; margin: 0.5rem 0 0; }
.legend svg { width: 28px; height: 10px; margin-right: 0.4rem; vertical-align: middle; }
.utterance { border-top: 1px solid var(--rule); padding: 0.6rem 0; display: grid; grid-template-columns: minmax(8rem, 14rem) 1fr; gap: 0.15rem 1rem; }
.utterance dt { color: var(--faint); } .utterance dd { margin: 0; overflow-wrap: anywhere; }
.wrong { color: var(--wrong); text-decoration: underline wavy; text-underline-offset: 3px; }
.missing { color: var(--missing); text-decoration: line-through; }
.added { color: var(--added); border: 1px dotted currentColor; border-radius: 3px; padding: 0 0.15rem; }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }
details > summary { cursor: pointer; }
`
